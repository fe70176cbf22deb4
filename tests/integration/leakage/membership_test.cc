// Who was trained on?  A small network learns records some of whose labels mean nothing, so that it can only know them
// by heart: the best case for whoever asks.  Trained by the product's gradient, sampler, noise and accountant.
#include "tests/integration/leakage/membership.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <optional>

#include "comm/base/rng.h"
#include "privacy/dp/calibrate.h"
#include "trainer/loop/nesterov_sgd.h"
#include "trainer/models/initialization.h"
#include "trainer/privacy/private_gradient.h"

namespace consilium::attacks {
namespace {

using torch::Tensor;

constexpr std::int64_t kMembers = 1000, kFeatures = 32, kClasses = 10;
constexpr std::int64_t kPlainSteps = 4000;     // 80 epochs, as plain training affords them
constexpr double kRate = 0.02, kDelta = 1e-5;  // kRate: of sampling

// Labels by a rule that all records share, but for those that are drawn by chance.
struct Records {
  Records(std::uint64_t seed, double by_chance)
      : inputs(torch::empty({kMembers, kFeatures})), labels(torch::empty({kMembers}, torch::kInt64)) {
    Rng rule_rng(0), rng(seed);
    Tensor rule = torch::empty({kFeatures, kClasses});
    for (std::int64_t i = 0; i < rule.numel(); ++i) rule.data_ptr<float>()[i] = static_cast<float>(rule_rng.Normal());
    for (std::int64_t i = 0; i < inputs.numel(); ++i) inputs.data_ptr<float>()[i] = static_cast<float>(rng.Normal());
    labels.copy_(inputs.matmul(rule).argmax(1));
    for (std::int64_t i = 0; i < kMembers; ++i)
      if (rng.Bernoulli(by_chance)) labels[i] = static_cast<std::int64_t>(rng.Below(kClasses));
  }
  Tensor inputs, labels;
};

struct TrialOptions {
  std::optional<double> epsilon;
  double by_chance = 0.3;  // the share of labels that mean nothing
  std::int64_t steps = 100;
};

class Trial {
 public:
  explicit Trial(const TrialOptions& options)
      : options_(options), members_(1, options.by_chance), others_(2, options.by_chance) {
    torch::set_num_threads(1);
    trainer::InitializeHeNormal(*model_, 3);
    const torch::NoGradGuard no_grad;
    for (const auto& item : model_->named_parameters()) {
      if (item.key().ends_with("bias")) item.value().zero_();
      named_.emplace_back(item.key(), item.value());
    }
  }

  // The area under the attacker's curve.
  double Run() {
    const Tensor members_before = Losses(members_), others_before = Losses(others_);
    Train();
    const double area =
        AreaUnderCurve(LossScores(members_before, Losses(members_)), LossScores(others_before, Losses(others_)));
    std::printf("%3.0f %% labels by chance, epsilon %s: area under the curve %.3f\n", 100 * options_.by_chance,
                options_.epsilon ? Concat(*options_.epsilon).c_str() : "none", area);
    return area;
  }

 private:
  Tensor LossOf(const Records& records, std::int64_t i) {
    return torch::nn::functional::cross_entropy(model_->forward(records.inputs.slice(0, i, i + 1)),
                                                records.labels.slice(0, i, i + 1));
  }
  Tensor Losses(const Records& records, const Tensor& which) {
    return torch::nn::functional::cross_entropy(
        model_->forward(records.inputs.index_select(0, which)), records.labels.index_select(0, which),
        torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kNone));
  }
  Tensor Losses(const Records& records) {
    const torch::NoGradGuard no_grad;
    return Losses(records, torch::arange(kMembers));
  }
  void Train() {
    const auto& epsilon = options_.epsilon;
    const double noise =
        epsilon ? dp::NoiseFor(*epsilon, kDelta, kRate, options_.steps, dp::Accountant::kPld).value() : 0;
    trainer::NesterovSgd sgd(named_, {.momentum = 0.9, .weight_decay = 0});
    const SecretBytes secret(Bytes(32, 6));
    dp::NoiseSource coins(secret, "coins"), gauss(secret, "noise");
    trainer::PrivateGradient gradient(model_->parameters(),
                                      {.clip = 1, .noise_multiplier = noise, .expected_records = kRate * kMembers});
    for (std::int64_t step = 0; step < options_.steps; ++step) {
      const std::vector<std::int64_t> sample = dp::PoissonSample(kMembers, kRate, &coins);
      if (epsilon) {
        for (const std::int64_t i : sample) EXPECT_TRUE(gradient.Add(LossOf(members_, i)).ok());
        EXPECT_TRUE(gradient.Finish(&gauss).ok());
      } else {
        model_->zero_grad();
        Losses(members_, torch::tensor(sample)).mean().backward();
      }
      sgd.Step(/*learning_rate=*/0.1, /*scale=*/1);
    }
  }

  const TrialOptions options_;
  const Records members_, others_;
  torch::nn::Sequential model_{torch::nn::Linear(kFeatures, 128), torch::nn::LeakyReLU(),
                               torch::nn::Linear(128, kClasses)};
  std::vector<std::pair<std::string, Tensor>> named_;
};

TEST(MembershipInference, KnowsWhoWasInWithoutNoiseAndHardlyAtEpsilonEight) {
  EXPECT_GT(Trial({.steps = kPlainSteps}).Run(), 0.7);
  EXPECT_LT(Trial({.epsilon = 8}).Run(), 0.55);
}

TEST(MembershipInference, OfRecordsThatCanOnlyBeLearntByHeartTakesASmallerEpsilonToPrevent) {
  EXPECT_GT(Trial({.by_chance = 1, .steps = kPlainSteps}).Run(), 0.85);
  EXPECT_LT(Trial({.epsilon = 2, .by_chance = 1}).Run(), 0.55);
}

}  // namespace
}  // namespace consilium::attacks
