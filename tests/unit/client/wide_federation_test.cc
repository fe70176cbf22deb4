// Rounds of more than 64 sites, with the real machines of both sides: a beacon, a graph, a sum that the world checks
// against the mean of what was trained.  Seventy sites make few scenarios affordable; the beacon's own machines are
// tested apart (session_beacon_test, job_beacon_test).
#include <gtest/gtest.h>

#include "federation_world.h"

namespace consilium::client {
namespace {

using wire::SecureStage;

FederationOptions Seventy() {
  FederationOptions options{.mode = "secure", .rounds = 1};
  options.sites.clear();
  for (int i = 100; i < 170; ++i) options.sites.push_back(Concat("site-", i));
  options.vanish_round = Round{0};
  return options;
}

// Counts what the coordinator writes down.
struct Records {
  std::size_t opened = 0, agreed = 0;
  void Count(const coordinator::Record& record) {
    opened += std::holds_alternative<coordinator::BeaconOpened>(record);
    agreed += std::holds_alternative<coordinator::BeaconAgreed>(record);
  }
};

TEST(WideFederation, OfSeventySitesIsTheirMean) {
  FederationOptions options = Seventy();
  Records records;
  options.record = [&](const auto& record) { records.Count(record); };
  const FederationOutcome outcome = RunFederation(options);
  ASSERT_TRUE(outcome.finished) << outcome.end;
  EXPECT_EQ(outcome.sums, 1u);
  EXPECT_EQ(outcome.sessions, 1u);
  EXPECT_EQ(outcome.contributors.at(0).size(), 70u);
  EXPECT_EQ(outcome.released.size(), 70u);
  EXPECT_EQ(records.opened, 1u);
  EXPECT_EQ(records.agreed, 1u);
}

TEST(WideFederation, GoesOnWithoutASiteThatVanishesBetweenItsCommitmentAndItsNonce) {
  FederationOptions options = Seventy();
  options.vanish = {{"site-117", SecureStage::kCommit}};
  Records records;
  options.record = [&](const auto& record) { records.Count(record); };
  const FederationOutcome outcome = RunFederation(options);
  EXPECT_EQ(outcome.sums, 1u) << outcome.end;
  EXPECT_EQ(outcome.contributors.at(0).size(), 69u);
  EXPECT_EQ(records.opened, 2u);
  EXPECT_EQ(records.agreed, 1u);
}

TEST(WideFederation, SurvivesKillsOfTheCoordinatorAndOfSitesInTheBeacon) {
  FederationOptions options = Seventy();
  Records records;
  options.record = [&](const auto& record) { records.Count(record); };
  options.restart = {{"site-103", SecureStage::kCommit}, {"site-140", SecureStage::kReveal}};
  options.restart_hub = [](const auto& record) { return std::holds_alternative<coordinator::BeaconAgreed>(record); };
  const FederationOutcome outcome = RunFederation(options);
  ASSERT_TRUE(outcome.finished) << outcome.end;
  EXPECT_EQ(outcome.sums, 1u);
  EXPECT_EQ(outcome.contributors.at(0).size(), 70u);
  EXPECT_EQ(records.opened, 1u) << "a site that comes back has its nonce, the coordinator the beacon";
  EXPECT_EQ(records.agreed, 1u);
  EXPECT_EQ(outcome.sessions, 1u);
}

TEST(WideFederation, WithNoiseForWholeSitesChargesEachSiteOnce) {
  FederationOptions options = Seventy();
  options.site_privacy = R"({"epsilon": 900, "clip": 0.5, "noise_multiplier": 0.5, "accept_noise": true})";
  const FederationOutcome outcome = RunFederation(options);
  ASSERT_TRUE(outcome.finished) << outcome.end;
  EXPECT_EQ(outcome.sums, 1u);
  ASSERT_EQ(outcome.charges.size(), 70u);
  for (const auto& [site, charges] : outcome.charges) EXPECT_EQ(charges.size(), 1u) << site;
}

}  // namespace
}  // namespace consilium::client
