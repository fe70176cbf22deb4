#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/privacy/secagg/session_fixture.h"

namespace consilium::secagg {
namespace {

using ::testing::HasSubstr;

TEST(SecureSum, IsThePlainSumOfTheSurvivorsForEverySubsetThatVanishesAtEveryStage) {
  for (std::size_t sites = 3; sites <= 6; ++sites) {
    const std::size_t threshold = ShapeOf(Cohort(sites, 1, 1).terms)->threshold;
    for (const Until stage : {Until::kNothing, Until::kAdvert, Until::kShares, Until::kVector, Until::kConfirmation}) {
      for (unsigned gone = 0; gone < 1u << sites; ++gone) {
        Cohort cohort(sites, 7, 10 * sites + gone);
        std::map<Place, Until> until;
        for (Place i = 0; i < sites; ++i)
          if (gone >> i & 1) until[i] = stage;
        const Outcome outcome = RunSession(cohort, until);
        const std::size_t left = sites - until.size();
        if (left < threshold) {
          EXPECT_FALSE(outcome.sum) << sites << " sites, gone " << gone << " after stage " << static_cast<int>(stage);
          EXPECT_FALSE(outcome.server.ok());
          continue;
        }
        ASSERT_TRUE(outcome.server.ok()) << outcome.server;
        ASSERT_TRUE(outcome.sum);
        // Who vanished after its vector was in still counts.
        EXPECT_EQ(outcome.survivors.size(), stage >= Until::kVector ? sites : left);
        EXPECT_EQ(*outcome.sum, cohort.PlainSum(outcome.survivors))
            << sites << " " << gone << " " << static_cast<int>(stage);
        EXPECT_TRUE(outcome.liars.empty());
        EXPECT_TRUE(outcome.refusals.empty());
      }
    }
  }
}

TEST(SecureSum, IsFinishedByAnotherServerFromTheTranscriptOfTheFirst) {
  for (const std::size_t sites : {3u, 5u, 8u}) {
    for (unsigned gone = 0; gone < 2; ++gone) {
      Cohort cohort(sites, 9, 70 + sites);
      std::map<Place, Until> until;
      if (gone == 1 && sites > 3) until = {{1, Until::kShares}};
      const Outcome outcome = RunSession(cohort, until, {.server_restarts = true});
      ASSERT_TRUE(outcome.sum) << outcome.server;
      EXPECT_EQ(*outcome.sum, cohort.PlainSum(outcome.survivors)) << sites << " sites, " << gone << " gone";
    }
  }
}

TEST(SecureSum, HoldsWhenDifferentSitesVanishAtDifferentStages) {
  Rng rng(4);
  for (int trial = 0; trial < 60; ++trial) {
    const std::size_t sites = 4 + rng.Below(9), dimension = 1 + rng.Below(5000);
    Cohort cohort(sites, dimension, 1000 + static_cast<std::uint64_t>(trial));
    const SessionShape shape = ShapeOf(cohort.terms).value();
    std::map<Place, Until> until;
    for (std::size_t drops = rng.Below(sites - shape.threshold + 1); drops > 0; --drops)
      until[static_cast<Place>(rng.Below(sites))] = static_cast<Until>(rng.Below(5));
    const Outcome outcome = RunSession(cohort, until);
    ASSERT_TRUE(outcome.sum) << outcome.server << " trial " << trial;
    EXPECT_EQ(*outcome.sum, cohort.PlainSum(outcome.survivors)) << "trial " << trial;
  }
}

TEST(SecureSum, HoldsOnASparseGraphOfManySites) {
  Cohort cohort(100, 64, 9);
  cohort.terms.corrupt = 10;
  const SessionShape shape = ShapeOf(cohort.terms).value();
  EXPECT_FALSE(shape.complete);
  EXPECT_EQ(shape.degree, 32u);
  EXPECT_EQ(shape.threshold, 22u);
  std::map<Place, Until> until;
  for (Place i = 0; i < 10; ++i) until[i * 10] = static_cast<Until>(i % 5);
  const Outcome outcome = RunSession(cohort, until);
  ASSERT_TRUE(outcome.sum) << outcome.server;
  EXPECT_EQ(*outcome.sum, cohort.PlainSum(outcome.survivors));
  EXPECT_TRUE(outcome.refusals.empty()) << outcome.refusals.begin()->second;
}

TEST(SecureSum, OnAGraphEndsBeforeASiteHasToRefuseWhenTooFewAreLeftAroundIt) {
  for (const Until stage : {Until::kNothing, Until::kVector}) {
    Cohort cohort(70, 16, 11);
    const SessionShape shape = ShapeOf(cohort.terms).value();
    std::map<Place, Until> until;  // of the neighbours of one site, of whom most others are no neighbours
    const std::size_t too_many = shape.degree + 2 - shape.threshold;
    for (std::size_t i = 0; i < too_many; ++i) until[shape.neighbours[20][i]] = stage;
    const Outcome outcome = RunSession(cohort, until);
    EXPECT_FALSE(outcome.sum);
    EXPECT_NE(outcome.server.message().find("sites are left around '"), std::string::npos) << outcome.server;
    EXPECT_TRUE(outcome.refusals.empty()) << outcome.refusals.begin()->second;
    EXPECT_TRUE(outcome.released.empty());
  }
}

TEST(SecureSum, AMaskedVectorSaysNothingWithoutTheOthers) {
  // Sites with vectors of zeros and of all ones send words that look alike: bits are half ones.
  for (const std::uint32_t fill : {0u, ~0u}) {
    Cohort cohort(3, 100000, 5);
    cohort.vectors[0].assign(100000, fill);
    std::vector<AdvertisedSite> sites;
    for (std::size_t i = 0; i < 3; ++i) sites.push_back(AdvertisedSite::Begin(cohort.View(i), cohort.entropy).value());
    const std::vector<Advert> adverts = {sites[0].advert(), sites[1].advert(), sites[2].advert()};
    std::vector<SharingSite> sharing;
    for (AdvertisedSite& site : sites) sharing.push_back(std::move(site).Share(adverts).value());
    std::vector<SealedShares> received;
    for (const std::size_t from : {1u, 2u})
      for (const SealedShares& message : sharing[from].sealed())
        if (message.to == 0) received.push_back(message);
    const MaskingSite masking = std::move(sharing[0]).Open(received).value();
    std::vector<std::uint32_t> vector = cohort.vectors[0];
    masking.Mask(0, vector, 1);
    double ones = 0;
    for (const std::uint32_t word : vector) ones += __builtin_popcount(word);
    EXPECT_NEAR(ones / (32.0 * 100000), 0.5, 0.0015) << "five standard deviations";
  }
}

TEST(SecureSum, SharesThatALiarChangedAreLeftOutAndTheLiarIsNamed) {
  Cohort cohort(10, 50, 3);  // threshold 7: three may lie
  const std::set<Place> liars = {2, 7};
  Mischief mischief;
  mischief.release = [&](ShareRelease& release) {
    if (!liars.contains(release.from)) return;
    for (ReleasedShare& released : release.shares) released.share.y[1] = FieldAdd(released.share.y[1], 12345678901);
  };
  const Outcome outcome = RunSession(cohort, {{4, Until::kShares}}, mischief);
  ASSERT_TRUE(outcome.sum) << outcome.server;
  EXPECT_EQ(*outcome.sum, cohort.PlainSum(outcome.survivors));
  EXPECT_EQ(outcome.liars, liars);
}

TEST(SecureSum, TooManyLiarsGiveAnErrorAndNeverAWrongSum) {
  Cohort cohort(5, 10, 3);  // threshold 4
  Mischief mischief;
  mischief.release = [](ShareRelease& release) {
    if (release.from < 2)
      for (ReleasedShare& released : release.shares)
        released.share.y[0] = FieldAdd(released.share.y[0], 99 + release.from);
  };
  const Outcome outcome = RunSession(cohort, {}, mischief);
  EXPECT_FALSE(outcome.sum);
  EXPECT_EQ(outcome.server.code(), StatusCode::kDataLoss);
  EXPECT_THAT(outcome.server.message(), HasSubstr("site-"));
}

}  // namespace
}  // namespace consilium::secagg
