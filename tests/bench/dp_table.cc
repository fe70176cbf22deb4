// Accuracy against epsilon: a small image classifier trained by the gradient, sampler, noise and accountant of
// privacy.records, on Fashion-MNIST (an image is a case), with an audit in the same run.
//
//   dp_table [FOLDER] [CASES] [STEPS]     default: kFashionMnistFolder, 10000 cases, 100 steps
//
// All cases are in every step (sampling rate 1): so the canaries of the audit, which are in every step, have the same
// epsilon as a case, and the bound that the attack finds stands beside the accountant's number for the same thing.
#include <torch/torch.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "comm/base/entropy.h"
#include "comm/base/time.h"
#include "privacy/dp/audit.h"
#include "privacy/dp/calibrate.h"
#include "privacy/dp/pld.h"
#include "privacy/dp/rdp.h"
#include "tests/bench/fashion_mnist.h"
#include "trainer/loop/nesterov_sgd.h"
#include "trainer/models/image_classifier.h"
#include "trainer/privacy/canaries.h"
#include "trainer/privacy/layer_check.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

constexpr double kDelta = 1e-5, kClip = 1, kLearningRate = 1, kMomentum = 0.9;
const ImageClassifierOptions kNetwork = {.classes = 10};
constexpr std::int64_t kCanaries = 10000, kGuesses = 400;  // chosen before any score was seen

double AccuracyOf(ImageClassifier& model, const Images& images) {
  const torch::NoGradGuard no_grad;
  return model->forward(images.pixels).argmax(1).eq(images.labels).to(torch::kFloat64).mean().item<double>();
}

struct Row {
  double accuracy = 0;
  dp::AuditResult audit;
  double seconds = 0;
};

// `cases` null: the canaries alone.
StatusOr<Row> Train(const Images* cases, const Images& held_out, std::int64_t steps, double noise_multiplier) {
  const Instant begin = SystemClock().Now();
  ImageClassifier model(kNetwork, /*seed=*/1);
  RETURN_IF_ERROR(CheckSamplesStayApart(*model));
  std::vector<std::pair<std::string, torch::Tensor>> named;
  for (const auto& item : model->named_parameters()) named.emplace_back(item.key(), item.value());
  NesterovSgd sgd(named, {.momentum = kMomentum, .weight_decay = 0});
  Canaries canaries({.count = kCanaries, .clip = kClip}, RandomSecret(SystemEntropy(), 32));
  std::vector<torch::Tensor> parameters = model->parameters();
  parameters.insert(parameters.end(), canaries.parameters().begin(), canaries.parameters().end());
  const std::int64_t count = cases == nullptr ? 1 : cases->size();
  PrivateGradient gradient(
      parameters,
      {.clip = kClip, .noise_multiplier = noise_multiplier, .expected_records = static_cast<double>(count)});
  const SecretBytes secret = RandomSecret(SystemEntropy(), 32);
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
  row.accuracy = AccuracyOf(model, held_out);
  ASSIGN_OR_RETURN(row.audit, dp::AuditOneRun(canaries.scores(), {.delta = kDelta, .guesses = kGuesses}));
  row.seconds = Seconds(SystemClock().Now() - begin);
  return row;
}

Status Print(const fs::path& folder, std::int64_t cases, std::int64_t steps) {
  torch::set_num_threads(1);
  ASSIGN_OR_RETURN(const Images train, ReadFashionMnist(folder, "train", cases));
  ASSIGN_OR_RETURN(const Images held_out, ReadFashionMnist(folder, "t10k", 10000));
  std::int64_t parameters = 0;
  for (const torch::Tensor& one : ImageClassifier(kNetwork, 1)->parameters()) parameters += one.numel();
  std::printf(
      "%lld training and %lld held-out images, %lld parameters; %lld steps at sampling rate 1, clip %g, delta %g; "
      "%lld canaries, %lld guesses, 95 %% confidence\n",
      static_cast<long long>(train.size()), static_cast<long long>(held_out.size()), static_cast<long long>(parameters),
      static_cast<long long>(steps), kClip, kDelta, static_cast<long long>(kCanaries),
      static_cast<long long>(kGuesses));
  std::printf(
      "| epsilon | noise | PLD | Renyi | audited | audited at half the noise | accuracy | seconds |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const double epsilon : {0.0, 8.0, 4.0, 2.0, 1.0}) {
    if (epsilon == 0) {
      ASSIGN_OR_RETURN(const Row row, Train(&train, held_out, steps, 0));
      std::printf("| none | 0 | - | - | %.2f | - | %.4f | %.0f |\n", row.audit.epsilon, row.accuracy, row.seconds);
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
    std::printf("| %g | %.2f | %.3f | %.3f | %.2f | %.2f | %.4f | %.0f |\n", epsilon, noise, pld.upper, renyi.epsilon,
                row.audit.epsilon, broken.audit.epsilon, row.accuracy, row.seconds);
    std::fflush(stdout);
  }
  return Status();
}

}  // namespace
}  // namespace consilium::trainer

int main(int argc, char** argv) {
  const std::filesystem::path folder = argc > 1 ? argv[1] : consilium::trainer::kFashionMnistFolder;
  if (!std::filesystem::exists(folder)) {
    std::printf("no Fashion-MNIST in %s: install Debian's package dataset-fashion-mnist, or name the folder\n",
                folder.c_str());
    return 0;
  }
  const consilium::Status status =
      consilium::trainer::Print(folder, argc > 2 ? std::atoll(argv[2]) : 10000, argc > 3 ? std::atoll(argv[3]) : 100);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
