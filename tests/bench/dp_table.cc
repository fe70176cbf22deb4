// Accuracy against epsilon: a small image classifier trained by the gradient, sampler, noise and accountant of
// privacy.records, on PneumoniaMNIST (an image is a case), with an audit in the same run.
//
//   dp_table [FOLDER] [STEPS]     FOLDER: with {train,val}_{images,labels}.npy; default $CONSILIUM_DATA/pneumoniamnist
//
// All cases are in every step (sampling rate 1): so the canaries of the audit, which are in every step, have the same
// epsilon as a case, and the bound that the attack finds stands beside the accountant's number for the same thing.
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "comm/base/entropy.h"
#include "comm/base/file.h"
#include "comm/base/time.h"
#include "privacy/dp/audit.h"
#include "privacy/dp/calibrate.h"
#include "privacy/dp/pld.h"
#include "privacy/dp/rdp.h"
#include "trainer/loop/nesterov_sgd.h"
#include "trainer/models/image_classifier.h"
#include "trainer/privacy/canaries.h"
#include "trainer/privacy/layer_check.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

constexpr double kDelta = 1e-5, kClip = 1, kLearningRate = 0.5, kMomentum = 0.9;
constexpr std::int64_t kCanaries = 20000, kGuesses = 600;  // chosen before any score was seen

struct Images {
  torch::Tensor pixels;  // [n, 1, y, x] f32
  torch::Tensor labels;  // [n] i64
  std::int64_t size() const { return labels.size(0); }
};

// A .npy file of bytes, format 1.0, C order: its data after the header.
StatusOr<std::string> ReadNpyBytes(const fs::path& path) {
  ASSIGN_OR_RETURN(const std::string file, ReadFile(path));
  if (file.size() < 10 || file.substr(1, 5) != "NUMPY") return DataLoss(path.string(), " is not a .npy file");
  const std::size_t header = static_cast<unsigned char>(file[8]) + 256u * static_cast<unsigned char>(file[9]);
  if (file.size() < 10 + header || file.substr(10, header).find("|u1") == std::string::npos)
    return DataLoss(path.string(), " does not hold bytes");
  return file.substr(10 + header);
}

StatusOr<Images> ReadImages(const fs::path& folder, const std::string& part) {
  ASSIGN_OR_RETURN(std::string labels, ReadNpyBytes(folder / (part + "_labels.npy")));
  ASSIGN_OR_RETURN(std::string pixels, ReadNpyBytes(folder / (part + "_images.npy")));
  const auto count = static_cast<std::int64_t>(labels.size());
  constexpr std::int64_t kEdge = 28;
  if (count == 0 || static_cast<std::int64_t>(pixels.size()) != count * kEdge * kEdge)
    return DataLoss(folder.string(), ": images of ", part, " are not as many as labels");
  Images images;
  images.pixels = torch::from_blob(pixels.data(), {count, 1, kEdge, kEdge}, torch::kUInt8).to(torch::kFloat32);
  images.pixels = (images.pixels / 255 - 0.5) / 0.25;  // fixed numbers: those of the data would have to be paid for
  images.labels = torch::from_blob(labels.data(), {count}, torch::kUInt8).to(torch::kInt64);
  return images;
}

struct Quality {
  double accuracy = 0, auc = 0;
};

Quality Evaluate(ImageClassifier& model, const Images& images) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor logits = model->forward(images.pixels);
  Quality quality;
  quality.accuracy = logits.argmax(1).eq(images.labels).to(torch::kFloat64).mean().item<double>();
  const torch::Tensor score = (logits.select(1, 1) - logits.select(1, 0)).to(torch::kFloat64);
  const torch::Tensor sick = score.masked_select(images.labels.eq(1)), well = score.masked_select(images.labels.eq(0));
  const torch::Tensor difference = sick.unsqueeze(1) - well.unsqueeze(0);
  quality.auc =
      (difference.gt(0).to(torch::kFloat64) + 0.5 * difference.eq(0).to(torch::kFloat64)).mean().item<double>();
  return quality;
}

SecretBytes FreshSecret() {
  SecretBytes secret(32);
  SystemEntropy().Fill(secret.RevealMutable());
  return secret;
}

struct Row {
  Quality quality;
  dp::AuditResult audit;
  double seconds = 0;
};

// `cases` null: the canaries alone.
StatusOr<Row> Train(const Images* cases, const Images& held_out, std::int64_t steps, double noise_multiplier) {
  const Instant begin = SystemClock().Now();
  ImageClassifier model(ImageClassifierOptions(), /*seed=*/1);
  RETURN_IF_ERROR(CheckSamplesStayApart(*model));
  std::vector<std::pair<std::string, torch::Tensor>> named;
  for (const auto& item : model->named_parameters()) named.emplace_back(item.key(), item.value());
  NesterovSgd sgd(named, {.momentum = kMomentum, .weight_decay = 0});
  Canaries canaries({.count = kCanaries, .clip = kClip}, FreshSecret());
  std::vector<torch::Tensor> parameters = model->parameters();
  parameters.insert(parameters.end(), canaries.parameters().begin(), canaries.parameters().end());
  const std::int64_t count = cases == nullptr ? 1 : cases->size();
  PrivateGradient gradient(
      parameters,
      {.clip = kClip, .noise_multiplier = noise_multiplier, .expected_records = static_cast<double>(count)});
  const SecretBytes secret = FreshSecret();
  dp::NoiseSource sample(secret, "cases"), noise(secret, "noise");
  for (std::int64_t step = 0; step < steps; ++step) {
    if (cases != nullptr) {
      for (const std::int64_t i : dp::PoissonSample(count, /*rate=*/1, &sample)) {
        const torch::Tensor loss = torch::nn::functional::cross_entropy(
            model->forward(cases->pixels.slice(0, i, i + 1)), cases->labels.slice(0, i, i + 1));
        RETURN_IF_ERROR(gradient.Add(loss));
      }
    }
    RETURN_IF_ERROR(canaries.AddTo(gradient));
    RETURN_IF_ERROR(gradient.Finish(&noise));
    canaries.Observe();
    sgd.Step(kLearningRate, /*scale=*/1);
  }
  Row row;
  row.quality = Evaluate(model, held_out);
  ASSIGN_OR_RETURN(row.audit, dp::AuditOneRun(canaries.scores(), {.delta = kDelta, .guesses = kGuesses}));
  row.seconds = Seconds(SystemClock().Now() - begin);
  return row;
}

Status Print(const fs::path& folder, std::int64_t steps) {
  torch::set_num_threads(1);
  ASSIGN_OR_RETURN(const Images train, ReadImages(folder, "train"));
  ASSIGN_OR_RETURN(const Images held_out, ReadImages(folder, "val"));
  std::int64_t parameters = 0;
  for (const torch::Tensor& one : ImageClassifier(ImageClassifierOptions(), 1)->parameters()) parameters += one.numel();
  std::printf(
      "%lld training and %lld held-out images, %lld parameters; %lld steps at sampling rate 1, clip %g, delta %g; "
      "%lld canaries, %lld guesses, 95 %% confidence\n",
      static_cast<long long>(train.size()), static_cast<long long>(held_out.size()), static_cast<long long>(parameters),
      static_cast<long long>(steps), kClip, kDelta, static_cast<long long>(kCanaries),
      static_cast<long long>(kGuesses));
  std::printf(
      "| epsilon | noise | PLD | Renyi | audited | audited at half the noise | accuracy | AUC | seconds |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const double epsilon : {0.0, 8.0, 4.0, 2.0, 1.0}) {
    if (epsilon == 0) {
      ASSIGN_OR_RETURN(const Row row, Train(&train, held_out, steps, 0));
      std::printf("| none | 0 | - | - | %.2f | - | %.4f | %.4f | %.0f |\n", row.audit.epsilon, row.quality.accuracy,
                  row.quality.auc, row.seconds);
      std::fflush(stdout);
      continue;
    }
    ASSIGN_OR_RETURN(const double noise, dp::NoiseFor(epsilon, kDelta, 1, steps, dp::Accountant::kPld));
    const dp::SampledGaussian mechanism = {.noise_multiplier = noise, .sampling_rate = 1, .steps = steps};
    ASSIGN_OR_RETURN(const dp::EpsilonBounds pld, dp::PldEpsilon({&mechanism, 1}, kDelta));
    dp::RdpCurve curve;
    RETURN_IF_ERROR(curve.Add(mechanism));
    ASSIGN_OR_RETURN(const dp::RdpEpsilon renyi, dp::EpsilonOf(curve, kDelta));
    ASSIGN_OR_RETURN(const Row row, Train(&train, held_out, steps, noise));
    ASSIGN_OR_RETURN(const Row broken, Train(nullptr, held_out, steps, noise / 2));
    std::printf("| %g | %.2f | %.3f | %.3f | %.2f | %.2f | %.4f | %.4f | %.0f |\n", epsilon, noise, pld.upper,
                renyi.epsilon, row.audit.epsilon, broken.audit.epsilon, row.quality.accuracy, row.quality.auc,
                row.seconds);
    std::fflush(stdout);
  }
  return Status();
}

}  // namespace
}  // namespace consilium::trainer

int main(int argc, char** argv) {
  const char* data = std::getenv("CONSILIUM_DATA");
  const std::filesystem::path folder =
      argc > 1 ? std::filesystem::path(argv[1]) : std::filesystem::path(data == nullptr ? "" : data) / "pneumoniamnist";
  if (!std::filesystem::exists(folder / "train_images.npy")) {
    std::printf("no images in '%s': set CONSILIUM_DATA, or name the folder\n", folder.c_str());
    return 0;
  }
  const consilium::Status status = consilium::trainer::Print(folder, argc > 2 ? std::atoll(argv[2]) : 40);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
