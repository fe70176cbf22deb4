// Each method on a small quadratic, step by step, against a naive transcription of its paper's algorithm.
#include "trainer/local/local_method.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/local/vector_math.h"

namespace consilium::trainer {
namespace {

using tensor::ParameterVector;
using testing::HasSubstr;

ParameterVector Vector(const std::vector<float>& values, const std::string& name = "w") {
  auto schema = tensor::Schema::Create({{name, tensor::DType::kF32, {static_cast<std::int64_t>(values.size())}}});
  auto vector = ParameterVector::Zeros(std::make_shared<const tensor::Schema>(*schema));
  std::copy(values.begin(), values.end(), vector->values().begin());
  return *vector;
}

std::vector<double> Doubles(const ParameterVector& vector) { return {vector.values().begin(), vector.values().end()}; }

wire::FederationSpec Federation(const std::string& strategy, wire::StrategyParameters parameters = {}) {
  wire::FederationSpec federation;
  federation.strategy = strategy;
  federation.strategy_parameters = wire::DefaultParameters(*wire::FindStrategy(strategy));
  for (const auto& [name, value] : parameters) federation.strategy_parameters[name] = value;
  return federation;
}

// A site's loss: sum over j of a_j / 2 (w_j - b_j)^2, with noise that differs from step to step as batches do.
struct Site {
  std::vector<double> a, b;
  double Gradient(const std::vector<double>& w, std::size_t j, int step) const {
    return a[j] * (w[j] - b[j]) + 0.05 * (step % 3 - 1);
  }
};
const Site kSite{{1.0, 3.0}, {2.0, -1.0}};
constexpr double kRate = 0.1;
constexpr int kSteps = 5;

struct Trained {
  ParameterVector weights, mean_gradient;
};

// What the trainer does with a correction, for plain SGD.
Trained Train(const ParameterVector& received, const GradientCorrection& correction, int first_step) {
  std::vector<double> w = Doubles(received), mean(w.size());
  for (int step = 0; step < kSteps; ++step) {
    const std::vector<double> before = w;
    for (std::size_t j = 0; j < w.size(); ++j) {
      double gradient = kSite.Gradient(before, j, first_step + step);
      mean[j] += gradient / kSteps;
      if (correction.pull != 0 && correction.anchor)
        gradient += correction.pull * (before[j] - correction.anchor->values()[j]);
      if (correction.shift) gradient += correction.shift->values()[j];
      w[j] -= kRate * gradient;
    }
  }
  return {Vector({w.begin(), w.end()}), Vector({mean.begin(), mean.end()})};
}

void ExpectNear(const ParameterVector& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.values().size(), expected.size());
  for (std::size_t j = 0; j < expected.size(); ++j) EXPECT_NEAR(actual.values()[j], expected[j], 2e-6) << j;
}

TEST(LocalMethod, FedProxIsSgdOnTheLossPlusHalfMuTimesTheSquaredDistance) {
  const double mu = 0.7;
  const auto method = MakeLocalMethod(Federation("fedprox", {{"mu", mu}}));
  SiteState state;
  const ParameterVector x = Vector({0.5F, 0.25F});
  const auto correction = method->Begin(x, nullptr, state);
  ASSERT_TRUE(correction.ok()) << correction.status();
  const Trained trained = Train(x, *correction, 0);
  std::vector<double> y = {0.5, 0.25};
  for (int step = 0; step < kSteps; ++step) {
    const std::vector<double> before = y;
    for (std::size_t j = 0; j < 2; ++j)
      y[j] -= kRate * (kSite.Gradient(before, j, step) + mu * (before[j] - x.values()[j]));
  }
  ExpectNear(trained.weights, y);
  const auto up = method->End(trained.weights, trained.mean_gradient, &state);
  ASSERT_TRUE(up.ok());
  EXPECT_TRUE(up->empty());
}

TEST(LocalMethod, ScaffoldFollowsOptionIIOfThePaperOverTwoRounds) {
  SiteState state;
  ParameterVector x = Vector({0.5F, 0.25F});
  std::vector<double> own = {0, 0};                      // c_i
  const ParameterVector server = Vector({0.3F, -0.2F});  // c, from the second round on
  for (int round = 0; round < 2; ++round) {
    const auto method = MakeLocalMethod(Federation("scaffold"));
    const auto correction = method->Begin(x, round == 0 ? nullptr : &server, state);
    ASSERT_TRUE(correction.ok()) << correction.status();
    const Trained trained = Train(x, *correction, round * kSteps);
    // Algorithm 1, lines 9 to 13, with c = 0 in the first round.
    const std::vector<double> c = round == 0 ? std::vector<double>{0, 0} : Doubles(server);
    std::vector<double> y = Doubles(x), next = own;
    for (int step = 0; step < kSteps; ++step) {
      const std::vector<double> before = y;
      for (std::size_t j = 0; j < 2; ++j)
        y[j] -= kRate * (kSite.Gradient(before, j, round * kSteps + step) - own[j] + c[j]);
    }
    for (std::size_t j = 0; j < 2; ++j) next[j] = own[j] - c[j] + (x.values()[j] - y[j]) / (kSteps * kRate);
    ExpectNear(trained.weights, y);
    const auto up = method->End(trained.weights, trained.mean_gradient, &state);
    ASSERT_TRUE(up.ok()) << up.status();
    ASSERT_EQ(up->size(), 1u);
    ExpectNear(up->at("control_delta"), {next[0] - own[0], next[1] - own[1]});
    ExpectNear(*state.Find(state_part::kControl), next);
    own = next;
    x = trained.weights;
  }
}

TEST(LocalMethod, FedDynFollowsThePaperOverTwoRounds) {
  const double alpha = 0.4;
  SiteState state;
  ParameterVector x = Vector({0.5F, 0.25F});
  std::vector<double> h = {0, 0};
  for (int round = 0; round < 2; ++round) {
    const auto method = MakeLocalMethod(Federation("feddyn", {{"alpha", alpha}}));
    const auto correction = method->Begin(x, nullptr, state);
    ASSERT_TRUE(correction.ok()) << correction.status();
    const Trained trained = Train(x, *correction, round * kSteps);
    std::vector<double> y = Doubles(x);
    for (int step = 0; step < kSteps; ++step) {
      const std::vector<double> before = y;
      for (std::size_t j = 0; j < 2; ++j)
        y[j] -= kRate * (kSite.Gradient(before, j, round * kSteps + step) - h[j] + alpha * (before[j] - x.values()[j]));
    }
    for (std::size_t j = 0; j < 2; ++j) h[j] -= alpha * (y[j] - x.values()[j]);
    ExpectNear(trained.weights, y);
    ASSERT_TRUE(method->End(trained.weights, trained.mean_gradient, &state).ok());
    ExpectNear(*state.Find(state_part::kDynamics), h);
    x = trained.weights;
  }
}

TEST(LocalMethod, WithoutPullAndWithoutHistoryNoGradientIsTouched) {
  const ParameterVector x = Vector({0.5F, 0.25F}), zero = Vector({0, 0});
  for (const auto& federation : {Federation("fedavg"), Federation("fedprox", {{"mu", 0}}), Federation("ditto"),
                                 Federation("feddyn", {{"alpha", 0}}), Federation("scaffold"), Federation("fednova")}) {
    const auto correction = MakeLocalMethod(federation)->Begin(x, nullptr, SiteState());
    ASSERT_TRUE(correction.ok()) << correction.status();
    EXPECT_FALSE(correction->changes_gradients()) << federation.strategy;
  }
  const auto scaffold = MakeLocalMethod(Federation("scaffold"))->Begin(x, &zero, SiteState());
  EXPECT_FALSE(scaffold->changes_gradients()) << "c = c_i = 0";
}

TEST(LocalMethod, TheSameRoundDoneAgainFromTheSameStateGivesTheSameStateAndUpload) {
  SiteState kept;
  kept.Set(state_part::kControl, Vector({0.125F, -3}));
  const ParameterVector x = Vector({0.5F, 0.25F}), server = Vector({1, 2}), mean = Vector({0.3F, 0.7F});
  Digest digests[2];
  for (Digest& digest : digests) {
    SiteState state = kept;
    const auto method = MakeLocalMethod(Federation("scaffold"));
    ASSERT_TRUE(method->Begin(x, &server, state).ok());
    const auto up = method->End(x, mean, &state);
    digest = up->at("control_delta").digest();
    EXPECT_EQ(state.Find(state_part::kControl)->digest(), mean.digest());
  }
  EXPECT_EQ(digests[0], digests[1]);
}

TEST(LocalMethod, StateOrServerTensorsOfAnotherModelAreRefusedByName) {
  const ParameterVector x = Vector({0.5F, 0.25F}), other = Vector({1, 2}, "v");
  SiteState state;
  state.Set(state_part::kControl, other);
  const auto method = MakeLocalMethod(Federation("scaffold"));
  const auto of_state = method->Begin(x, nullptr, state);
  EXPECT_EQ(of_state.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(of_state.status().message(), HasSubstr("'v'"));
  const auto of_server = method->Begin(x, &other, SiteState());
  EXPECT_EQ(of_server.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(of_server.status().message(), HasSubstr("'v'"));
  EXPECT_EQ(MakeLocalMethod(Federation("fedavg"))->Begin(x, &x, SiteState()).code(), StatusCode::kInvalidArgument);
}

wire::JobSpec JobOf(double momentum, std::int64_t iterations) {
  wire::JobSpec job;
  job.has_federation = true;
  job.federation.rounds = 4;
  job.federation.local_epochs = 1;
  job.train.iterations = iterations;
  job.train.momentum = momentum;
  return job;
}

TEST(EffectiveSteps, WithoutMomentumAreTheStepsAndWithItTheDistanceThatAConstantGradientMoves) {
  EXPECT_DOUBLE_EQ(EffectiveSteps(JobOf(0, 7), 0, 1), 7);
  EXPECT_DOUBLE_EQ(EffectiveSteps(JobOf(0, 7), 3, 4), 7) << "relative to the round's own rate";
  // Nesterov in PyTorch's form moves lr (d + m v) a step; with d = 1 and m = 0.5: v = 1, 1.5, 1.75.
  EXPECT_DOUBLE_EQ(EffectiveSteps(JobOf(0.5, 3), 0, 1), 1.5 + 1.75 + 1.875);
  wire::JobSpec falling = JobOf(0, 2);
  falling.federation.local_epochs = 2;
  EXPECT_NEAR(EffectiveSteps(falling, 0, 2), 2 + 2 * std::pow(1 - 1.0 / 8, 0.9), 1e-12);
}

}  // namespace
}  // namespace consilium::trainer
