// Strategies, personal parts, groups and compressed updates by their names in a job file, with the real trainer: what
// each promises can be seen in what the jobs leave behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "comm/wire/strategy.h"
#include "tests/integration/real_trainer/real_consortium.h"

namespace consilium {
namespace {

constexpr int kRounds = 3, kIterations = 12;
constexpr char kSites[] = {'a', 'b', 'c'};

// Jobs whose sites and coordinator keep something between rounds that is not the model.
const std::map<std::string, std::vector<std::string>> kStateful = {
    {"kept-control", {"mode: wait", "strategy: {name: scaffold}"}},
    {"kept-dynamics", {"mode: wait", "strategy: {name: feddyn}"}},
    {"kept-moments", {"mode: wait", "strategy: {name: fedadam}", "compression: int8"}},
    {"kept-residual",
     {"mode: wait", "strategy: {name: ditto}", "compression: {scheme: topk, fraction: 0.1}", "personal: ['*.norm.*']"}},
};

// A job's name has no '_'.
std::string JobNameOf(const wire::StrategySpec& spec) {
  std::string name(spec.name);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::vector<std::string> FederationOf(const wire::StrategySpec& spec) {
  std::string parameters;
  if (spec.name == "bulyan") parameters = ", byzantine: 0";  // 4f + 3 sites
  std::vector<std::string> lines = {spec.name == "fedbuff" ? "mode: async" : "mode: wait",
                                    Concat("strategy: {name: ", spec.name, parameters, "}")};
  if (spec.name == "ditto") lines.push_back("evaluate: {every: 3}");
  return lines;
}

double LargestDifference(const tensor::ParameterVector& a, const tensor::ParameterVector& b) {
  EXPECT_TRUE(a.schema().CheckSame(b.schema()).ok());
  double largest = 0;
  for (std::size_t i = 0; i < a.values().size(); ++i)
    largest = std::max(largest, std::abs(double{a.values()[i]} - b.values()[i]));
  return largest;
}

// All jobs of the tests below run together, once.
class RealStrategies : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    consortium_ = new RealConsortium({.iterations = kIterations, .rounds = kRounds});
    consortium_->Start();
    for (const wire::StrategySpec& spec : wire::Strategies()) consortium_->Submit(JobNameOf(spec), FederationOf(spec));
    for (const auto& [job, federation] : kStateful) consortium_->Submit(job, federation);
    const auto submit = [](const std::string& job, const std::string& line, const std::vector<std::string>& sites) {
      consortium_->Submit(job, {"mode: wait", line}, sites);
    };
    submit("no-pull", "strategy: {name: fedprox, mu: 0}", {"a", "b", "c"});
    submit("alone", "strategy: {name: fedavg}", {"a"});
    submit("own-models", "strategy: {name: mixing, matrix: {a: {a: 1}, b: {b: 1, c: 1}, c: {b: 1, c: 1}}}",
           {"a", "b", "c"});
    submit("groups", "strategy: {name: clustered, groups: {north: [a], south: [b, c]}}", {"a", "b", "c"});
    submit("half", "compression: fp16", {"a", "b", "c"});
  }
  static void TearDownTestSuite() {
    delete consortium_;
    consortium_ = nullptr;
  }

  // Metric `name` of `site` in each round.
  static std::vector<double> MetricOf(const std::string& job, const std::string& site, const std::string& name) {
    consortium_->AwaitResult(job);
    std::vector<double> values;
    for (const Json& round : consortium_->Rounds(job)) {
      const Json& metrics = round["sites"][site]["metrics"];
      EXPECT_TRUE(metrics.contains(name)) << job << ": " << metrics;
      values.push_back(metrics.contains(name) ? metrics[name].get<double>() : NAN);
    }
    EXPECT_EQ(values.size(), static_cast<std::size_t>(kRounds)) << job;
    return values;
  }
  static tensor::ParameterVector Weights(const std::string& job) {
    consortium_->AwaitResult(job);
    return consortium_->Weights(job);
  }
  static std::uint64_t BytesOf(const std::string& job) {
    consortium_->AwaitResult(job);
    return consortium_->Rounds(job).front()["sites"]["a"]["bytes"].get<std::uint64_t>();
  }

  static RealConsortium* consortium_;
};
RealConsortium* RealStrategies::consortium_ = nullptr;

TEST_F(RealStrategies, EveryStrategyOfTheCatalogueTrainsTheThreeSiteJobByNameFromAJobFile) {
  const Digest initial = consortium_->InitialWeights().digest();
  for (const wire::StrategySpec& spec : wire::Strategies()) {
    const std::string job = JobNameOf(spec);
    SCOPED_TRACE(job);
    EXPECT_EQ(consortium_->AwaitResult(job)["rounds_done"], kRounds);
    const std::vector<Json> rounds = consortium_->Rounds(job);
    ASSERT_EQ(rounds.size(), static_cast<std::size_t>(kRounds));
    EXPECT_LT(rounds.back()["mean"]["loss"], rounds.front()["mean"]["loss"]);
    EXPECT_NE(consortium_->Weights(job).digest(), initial);
  }
}

TEST_F(RealStrategies, FedProxWithoutItsPullIsFedAvgBitForBitAndWithItIsNot) {
  EXPECT_EQ(Weights("no-pull").digest(), Weights("fedavg").digest());
  EXPECT_NE(Weights("fedprox").digest(), Weights("fedavg").digest());
}

TEST_F(RealStrategies, ScaffoldsControlVariatesTravelUpAndActFromTheSecondRoundOn) {
  // A model's worth of them beside the update.
  EXPECT_NEAR(static_cast<double>(BytesOf("scaffold")), 2.0 * BytesOf("fedavg"), 0.1 * BytesOf("fedavg"));
  EXPECT_EQ(MetricOf("scaffold", "a", "loss")[0], MetricOf("fedavg", "a", "loss")[0]) << "both begin at 0";
  EXPECT_NE(MetricOf("scaffold", "a", "loss")[1], MetricOf("fedavg", "a", "loss")[1]);
  EXPECT_GT(LargestDifference(Weights("scaffold"), Weights("fedavg")), 1e-5);
}

TEST_F(RealStrategies, FedNovasTauIsWhatAConstantGradientWouldHaveMovedTheModelBy) {
  // Nesterov momentum m from 0 at one rate: sum over steps of 1 + m v, v = (1 - m^k) / (1 - m).
  constexpr double kMomentum = 0.9;  // TinyJobYaml's
  double tau = 0;
  for (int k = 1; k <= kIterations; ++k) tau += 1 + kMomentum * (1 - std::pow(kMomentum, k)) / (1 - kMomentum);
  for (const char site : kSites)
    for (const double reported : MetricOf("fednova", std::string(1, site), "tau")) EXPECT_NEAR(reported, tau, 1e-9);
  for (const Json& round : consortium_->Rounds("fednova"))
    EXPECT_NEAR(round["strategy"]["tau_effective"].get<double>(), tau, 1e-9);
}

TEST_F(RealStrategies, QFedAvgHearsEverySitesLossOfTheReceivedModelAndItFalls) {
  for (const char site : kSites) {
    const std::vector<double> losses = MetricOf("qfedavg", std::string(1, site), "loss_before");
    EXPECT_GT(losses.back(), 0) << site;
    EXPECT_LT(losses.back(), losses.front()) << site;
  }
}

TEST_F(RealStrategies, DittosPersonalModelStaysAtTheSiteAndIsEvaluatedBesideTheSharedOne) {
  EXPECT_EQ(Weights("ditto").digest(), Weights("fedavg").digest()) << "the shared model is FedAvg's";
  EXPECT_EQ(BytesOf("ditto"), BytesOf("fedavg")) << "nothing of it travels";
  const Json evaluations = consortium_->AwaitResult("ditto")["round_evaluations"];
  ASSERT_EQ(evaluations.size(), 1u);
  EXPECT_TRUE(evaluations[0]["mean"].contains("dice") && evaluations[0]["mean"].contains("personal_dice"))
      << evaluations;
}

TEST_F(RealStrategies, ASiteThatMixesNothingInTrainsAsIfItWereAlone) {
  const std::vector<double> alone = MetricOf("alone", "a", "loss");
  EXPECT_EQ(MetricOf("own-models", "a", "loss"), alone);
  EXPECT_EQ(MetricOf("groups", "a", "loss"), alone);
  // Groups of one model: what two sites mix in equal parts is not what they share by their numbers of cases.
  EXPECT_NE(MetricOf("groups", "b", "loss")[1], MetricOf("fedavg", "b", "loss")[1]);
  EXPECT_NE(MetricOf("groups", "b", "loss")[1], MetricOf("own-models", "b", "loss")[1]);
}

TEST_F(RealStrategies, PersonalTensorsNeverLeaveTheSiteAndCompressedUpdatesAreSmaller) {
  const tensor::ParameterVector initial = consortium_->InitialWeights(), trained = Weights("kept-residual");
  ASSERT_TRUE(initial.schema().CheckSame(trained.schema()).ok());
  for (std::size_t i = 0; i < trained.schema().tensors().size(); ++i) {
    const std::string& name = trained.schema().tensors()[i].name;
    const bool same = std::ranges::equal(trained.tensor(i), initial.tensor(i));
    EXPECT_EQ(same, name.find(".norm.") != std::string::npos) << name;
  }
  EXPECT_LT(LargestDifference(Weights("half"), Weights("fedavg")), 1e-2);
  EXPECT_NE(Weights("half").digest(), Weights("fedavg").digest());
  const auto whole = static_cast<double>(BytesOf("fedavg"));
  EXPECT_LT(static_cast<double>(BytesOf("half")), 0.7 * whole);
  EXPECT_LT(static_cast<double>(BytesOf("kept-moments")), 0.5 * whole);
  EXPECT_GT(MetricOf("kept-residual", "a", "loss").front(), MetricOf("kept-residual", "a", "loss").back());
}

// Control variates, h, Adam's moments, residuals, personal parts and models: all are there again.
TEST_F(RealStrategies, WhatIsKeptBetweenRoundsSurvivesAKilledClientAndAKilledCoordinator) {
  RealConsortium disturbed({.iterations = kIterations, .rounds = kRounds});
  disturbed.Start();
  for (const auto& [job, federation] : kStateful) disturbed.Submit(job, federation);
  // No job ends without c, which has most of its work before it when the first round is over.
  disturbed.AwaitEvent("kept-control", {{"event", "round_opened"}, {"round", 1}});
  disturbed.federation().KillClient("c");
  EXPECT_FALSE(disturbed.IsOver("kept-dynamics"));
  disturbed.federation().KillCoordinator();
  disturbed.StartCoordinator();
  disturbed.federation().KillClient("a");
  disturbed.StartClient("a");
  disturbed.StartClient("c");
  for (const auto& [job, federation] : kStateful) {
    disturbed.AwaitResult(job);
    EXPECT_EQ(disturbed.Weights(job).digest(), Weights(job).digest()) << job;
  }
}

}  // namespace
}  // namespace consilium
