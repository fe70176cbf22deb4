#include "trainer/inference/predict_verb.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "comm/base/time.h"
#include "trainer/inference/predict.h"

namespace consilium::trainer {
namespace {

struct Options {
  std::string models, input, output, checkpoint, device = "auto";
  bool mirror = false;
};

std::vector<std::filesystem::path> SplitAtCommas(const std::string& text) {
  std::vector<std::filesystem::path> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');)
    if (!part.empty()) parts.emplace_back(part);
  return parts;
}

StatusOr<torch::Device> DeviceNamed(const std::string& name) {
  if (name == "auto") return DefaultDevice();
  if (name == "cpu") return torch::Device(torch::kCPU);
  if (name != "cuda") return InvalidArgument("--device is '", name, "', expected auto, cpu or cuda");
  if (!torch::cuda::is_available()) return InvalidArgument("--device is cuda, but this machine or LibTorch has none");
  return torch::Device(torch::kCUDA, 0);
}

// "12/40 hippocampus_017  3.1 cases/s  9.0s left": one line that renews itself on a terminal, plain lines in a pipe.
class Progress {
 public:
  Progress() : start_(SystemClock().Now()), terminal_(isatty(STDERR_FILENO) == 1) {}

  void Show(const std::string& id, std::int64_t done, std::int64_t total) const {
    const double seconds = std::max(Seconds(SystemClock().Now() - start_), 1e-9);
    const double rate = static_cast<double>(done) / seconds;
    const auto left =
        std::chrono::milliseconds(static_cast<std::int64_t>(1000 * static_cast<double>(total - done) / rate));
    std::fprintf(stderr, "%s%lld/%lld %s  %.2f cases/s  %s left%s", terminal_ ? "\r\x1b[K" : "",
                 static_cast<long long>(done), static_cast<long long>(total), id.c_str(), rate,
                 FormatDuration(left).c_str(), terminal_ && done < total ? "" : "\n");
  }
  double seconds() const { return Seconds(SystemClock().Now() - start_); }

 private:
  Instant start_;
  bool terminal_;
};

Status Predict(const Options& options, bool json_wanted) {
  ASSIGN_OR_RETURN(const torch::Device device, DeviceNamed(options.device));
  const Progress progress;
  ASSIGN_OR_RETURN(const std::int64_t cases,
                   PredictCases({.runs = SplitAtCommas(options.models),
                                 .input = options.input,
                                 .output = options.output,
                                 .checkpoint = options.checkpoint,
                                 .mirroring = options.mirror ? TestTimeMirroring::kOn : TestTimeMirroring::kOff,
                                 .device = device,
                                 .on_case = [&](const std::string& id, std::int64_t done, std::int64_t total) {
                                   progress.Show(id, done, total);
                                 }}));
  std::cerr << "Wrote " << cases << (cases == 1 ? " prediction" : " predictions") << " to " << options.output << "\n";
  if (json_wanted) Command::PrintJson({{"cases", cases}, {"output", options.output}, {"seconds", progress.seconds()}});
  return Status();
}

}  // namespace

int PredictVerb(const Arguments& arguments) {
  Options options;
  Command command(
      "consilium predict",
      "Segments every image of a folder with a trained model, or with the mean of several (a fold ensemble).",
      "consilium predict --model results/fold_0,results/fold_1 --input imagesTs --output predicted");
  command.Option("--model", &options.models, "RUN directory of a training; several, separated by commas", true);
  command.Option("--input", &options.input, "folder of images, CASE_0000.nii.gz and so on", true);
  command.Option("--output", &options.output, "folder for the predicted label files; made when missing", true);
  command.Option("--checkpoint", &options.checkpoint, "final, best or latest; default: the first of these");
  command.Option("--device", &options.device, "auto, cpu or cuda");
  command.Flag("--mirror", &options.mirror, "average over all mirrorings that training used (2^axes times the work)");
  return command.Run(arguments, [&] { return Predict(options, command.json()); });
}

}  // namespace consilium::trainer
