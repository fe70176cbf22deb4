// What each strategy must become at the ends of its parameters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "coordinator/strategies/models_on_disk.h"
#include "tests/unit/coordinator/strategies/dense_fold.h"

namespace consilium::coordinator {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kSize = 700;

struct Given {
  Vector x;
  std::vector<Vector> y;
  Vector weights;
};

Given SomeRound(std::size_t sites, std::uint64_t seed) {
  Rng rng(seed);
  Given given{.x = RandomVector(&rng, kSize)};
  for (std::size_t i = 0; i < sites; ++i) {
    given.y.push_back(RandomVector(&rng, kSize));
    given.weights.push_back(1 + static_cast<double>(rng.Below(9)));
  }
  return given;
}

// Whether weights count: equal for the rules that give every site one voice.
Vector Folded(const wire::FederationSpec& federation, const Given& given, const wire::Metrics& metrics = {},
              const std::function<void(DenseUpdate*)>& change = nullptr) {
  DenseFold fold(federation, given.x, given.y.size());
  std::vector<DenseUpdate> updates;
  for (std::size_t i = 0; i < given.y.size(); ++i) {
    updates.push_back(fold.UpdateOf(SiteNumber(i), given.y[i], given.weights[i]));
    updates.back().metrics = metrics;
    if (change) change(&updates.back());
  }
  const Status status = fold.Fold(updates);
  EXPECT_TRUE(status.ok()) << status;
  return fold.model();
}

Vector FedAvgOf(Given given, bool equal_weights = false) {
  if (equal_weights) std::ranges::fill(given.weights, 1.0);
  return Folded(Federation("fedavg"), given);
}

void ExpectNear(const Vector& a, const Vector& b, const std::string& what) {
  EXPECT_LE(Distance(a, b), 1e-6 * Distance(b, Vector(b.size()))) << what;
}

TEST(StrategySpecialCases, EachBecomesFedAvgWhereItShould) {
  const Given given = SomeRound(5, 1);
  const Vector mean = FedAvgOf(given);
  EXPECT_EQ(Folded(Federation("fedprox", {{"mu", 0}}), given), mean);
  EXPECT_EQ(Folded(Federation("ditto"), given), mean);
  ExpectNear(Folded(Federation("fedavgm", {{"momentum", 0}}), given), mean, "no momentum");
  ExpectNear(Folded(Federation("qfedavg", {{"q", 0}, {"lipschitz", 7}}), given, {{"loss_before", 0.3}}), mean, "q = 0");
  ExpectNear(Folded(Federation("fednova"), given, {{"tau", 12}}), mean, "equal taus");
  ExpectNear(Folded(Federation("fedbuff"), given), mean, "nothing is stale");
  ExpectNear(Folded(Federation("norm_clipping", {{"bound", 1e100}}), given), mean, "a bound that nobody reaches");
  ExpectNear(Folded(Federation("scaffold"), given, {}, [](DenseUpdate* update) { update->auxiliary = Vector(kSize); }),
             mean, "controls of zero");
  EXPECT_EQ(Folded(Federation("mixing", {{"self_weight", 0}}), given), mean);
}

TEST(StrategySpecialCases, RobustRulesBecomeTheirMeans) {
  const Given given = SomeRound(5, 2);
  const Vector mean = FedAvgOf(given, /*equal_weights=*/true);
  ExpectNear(Folded(Federation("trimmed_mean", {{"trim", 0}}), given), mean, "nothing trimmed");
  ExpectNear(Folded(Federation("multi_krum", {{"byzantine", 0}}), given), mean, "all selected");
  ExpectNear(Folded(Federation("multi_krum", {{"byzantine", 1}, {"select", 5}}), given), mean, "all selected");
  ExpectNear(Folded(Federation("bulyan", {{"byzantine", 0}}), given), mean, "nobody suspected");
  // Trimmed to one value, the mean is the median; of two values the median is the mean.
  EXPECT_EQ(Folded(Federation("trimmed_mean", {{"trim", 0.4}}), given), Folded(Federation("median"), given));
  const Given two = SomeRound(2, 3);
  ExpectNear(Folded(Federation("median"), two), FedAvgOf(two, /*equal_weights=*/true), "two values");
}

TEST(StrategySpecialCases, OneUpdateIsTheResult) {
  const Given one = SomeRound(1, 4);
  for (const char* exact : {"fedavg", "fedprox", "ditto", "median", "trimmed_mean", "clustered", "mixing"})
    EXPECT_EQ(Folded(Federation(exact), one), one.y[0]) << exact;
  for (const char* robust : {"krum", "multi_krum"})
    EXPECT_EQ(Folded(Federation(robust, {{"byzantine", 0}}), one), one.y[0]) << robust;
  for (const char* rounded : {"geometric_median", "norm_clipping", "fedbuff"})
    ExpectNear(Folded(Federation(rounded), one), one.y[0], rounded);
}

TEST(StrategySpecialCases, OneUpdateKeepsEveryBitOfItsZeros) {
  const Given one{.x = {1, 1}, .y = {{-0.0, 0.0}}, .weights = {3}};
  const Vector model = Folded(Federation("fedavg"), one);
  EXPECT_TRUE(std::signbit(model[0]));
  EXPECT_FALSE(std::signbit(model[1]));
}

TEST(StrategySpecialCases, TrimmingRoundsUpSoThatThreeSitesAreProtected) {
  const Given three{.x = {0}, .y = {{1}, {2}, {1000}}, .weights = {1, 1, 1}};
  EXPECT_EQ(Folded(Federation("trimmed_mean", {{"trim", 0.1}}), three), Vector{2});
}

TEST(StrategySpecialCases, IdentityMixingIsLocalAndAGivenMatrixMixes) {
  const Given given = SomeRound(3, 5);
  DenseFold local(Federation("mixing", {{"self_weight", 1}}), given.x, 3);
  wire::FederationSpec chain = Federation("mixing");
  chain.strategy_matrix = {{SiteNumber(0), {{SiteNumber(0), 2}, {SiteNumber(1), 6}}},
                           {SiteNumber(1), {{SiteNumber(1), 1}}}};
  DenseFold given_matrix(chain, given.x, 3);
  std::vector<DenseUpdate> updates;
  for (std::size_t i = 0; i < 3; ++i) updates.push_back(local.UpdateOf(SiteNumber(i), given.y[i], given.weights[i]));
  ASSERT_TRUE(local.Fold(updates).ok());
  ASSERT_TRUE(given_matrix.Fold(updates).ok());
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(local.ModelOf(SiteNumber(i)), given.y[i]);
  ExpectNear(given_matrix.ModelOf(SiteNumber(0)), Combination({0.25, 0.75}, {given.y[0], given.y[1]}), "row 0");
  EXPECT_EQ(given_matrix.ModelOf(SiteNumber(1)), given.y[1]);
  EXPECT_EQ(given_matrix.ModelOf(SiteNumber(2)), given_matrix.model()) << "no row: the global model";
}

TEST(StrategySpecialCases, SimilarityMixingListensToThoseWhoMoveAlike) {
  DenseFold fold(Federation("mixing", {{"self_weight", 0.5}, {"similarity", 50}}), {0, 0}, 3);
  ASSERT_TRUE(fold.Fold({fold.UpdateOf(SiteNumber(0), {1, 0}), fold.UpdateOf(SiteNumber(1), {2, 0}),
                         fold.UpdateOf(SiteNumber(2), {0, 5})})
                  .ok());
  ExpectNear(fold.ModelOf(SiteNumber(0)), {1.5, 0}, "half its own, half of the one in its direction");
}

TEST(StrategySpecialCases, GivenGroupsAverageAmongThemselves) {
  const Given given = SomeRound(4, 6);
  wire::FederationSpec federation = Federation("clustered");
  federation.strategy_groups = {{"north", {SiteNumber(0), SiteNumber(2)}}, {"south", {SiteNumber(1), SiteNumber(5)}}};
  DenseFold fold(federation, given.x, 6);
  std::vector<DenseUpdate> updates;
  for (std::size_t i = 0; i < 4; ++i) updates.push_back(fold.UpdateOf(SiteNumber(i), given.y[i]));
  ASSERT_TRUE(fold.Fold(updates).ok());
  ExpectNear(fold.ModelOf(SiteNumber(0)), Combination({0.5, 0.5}, {given.y[0], given.y[2]}), "north");
  EXPECT_EQ(fold.ModelOf(SiteNumber(2)), fold.ModelOf(SiteNumber(0)));
  EXPECT_EQ(fold.ModelOf(SiteNumber(1)), given.y[1]);
  EXPECT_EQ(fold.ModelOf(SiteNumber(5)), given.y[1]) << "it sent nothing and gets its group's model";
  EXPECT_EQ(fold.ModelOf(SiteNumber(3)), given.y[3]) << "in no group: the rest is one";
}

TEST(StrategySpecialCases, NeitherOrderOfArrivalNorNamesDecideASum) {
  const Given given = SomeRound(7, 7);
  for (const wire::StrategySpec& spec : wire::Strategies()) {
    wire::FederationSpec federation = Federation(std::string(spec.name));
    if (spec.name == "qfedavg") federation.strategy_parameters["lipschitz"] = 10;
    DenseFold forward(federation, given.x, 7), backward(federation, given.x, 7);
    std::vector<DenseUpdate> updates;
    for (std::size_t i = 0; i < 7; ++i) {
      updates.push_back(forward.UpdateOf(SiteNumber(i), given.y[i], given.weights[i]));
      updates.back().metrics = {{"tau", 3.0 + static_cast<double>(i)}, {"loss_before", 1.0 + static_cast<double>(i)}};
      updates.back().auxiliary = given.y[i];
    }
    ASSERT_TRUE(forward.Fold(updates).ok()) << spec.name;
    std::ranges::reverse(updates);
    ASSERT_TRUE(backward.Fold(updates).ok()) << spec.name;
    EXPECT_EQ(forward.model(), backward.model()) << spec.name;
  }
}

TEST(StrategySpecialCases, WhatCannotBeFoldedIsRefusedWithTheReason) {
  const Given given = SomeRound(6, 8);
  const auto refusal = [&](const wire::FederationSpec& federation, const wire::Metrics& metrics) {
    DenseFold fold(federation, given.x, given.y.size());
    std::vector<DenseUpdate> updates;
    for (std::size_t i = 0; i < given.y.size(); ++i) {
      updates.push_back(fold.UpdateOf(SiteNumber(i), given.y[i]));
      updates.back().metrics = metrics;
      updates.back().staleness = 3;
    }
    const Status status = fold.Fold(updates);
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition) << status;
    return status.message();
  };
  EXPECT_THAT(refusal(Federation("bulyan", {{"byzantine", 1}}), {}), HasSubstr("at least 7 updates (4f + 3"));
  EXPECT_THAT(refusal(Federation("krum", {{"byzantine", 3}}), {}), HasSubstr("at least 7 updates (2f + 1"));
  EXPECT_THAT(refusal(Federation("multi_krum", {{"select", 9}}), {}), HasSubstr("at least 9 updates"));
  EXPECT_THAT(refusal(Federation("fednova"), {}), HasSubstr("'hospital-0' sent no 'tau'"));
  EXPECT_THAT(refusal(Federation("fednova"), {{"tau", 0}}), HasSubstr("it must be between"));
  EXPECT_THAT(refusal(Federation("qfedavg"), {{"loss_before", std::numeric_limits<double>::quiet_NaN()}}),
              HasSubstr("it must be between"));
  EXPECT_THAT(refusal(Federation("qfedavg"), {{"loss_before", 1}}), HasSubstr("lipschitz"));
  EXPECT_THAT(refusal(Federation("fedbuff", {{"staleness_max", 2}}), {}), HasSubstr("more than 2 rounds old"));
}

TEST(ModelsOnDisk, CountModelsUpdatesStateAndSiteModels) {
  const auto models = [](const char* strategy) { return ModelsOnDisk(Federation(strategy), 10); };
  EXPECT_EQ(models("fedavg"), 13);    // ten updates; started from, folded, in the job's folder
  EXPECT_EQ(models("fedadam"), 17);   // and two state tensors, old and new
  EXPECT_EQ(models("scaffold"), 25);  // updates with control deltas, the control old and new
  EXPECT_EQ(models("fedbuff"), 23);   // the next ten come in meanwhile
  EXPECT_EQ(models("mixing"), 33);    // every site's model, old and new
}

}  // namespace
}  // namespace consilium::coordinator
