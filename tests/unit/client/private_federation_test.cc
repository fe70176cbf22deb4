// Rounds under privacy.sites, with the real machines of both sides: the world checks every mean against that of the
// clipped updates, and that nothing is uploaded that was not paid for before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "federation_world.h"
#include "privacy/private_sum/adaptive_clip.h"
#include "privacy/secagg/message_lists.h"

namespace consilium::client {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using wire::SecureStage;

constexpr char kAdaptive[] =
    R"({"epsilon": 900, "clip": 1, "adaptive_clip": true, "noise_multiplier": 0.5, "accept_noise": true})";
constexpr char kFixed[] = R"({"epsilon": 900, "clip": 0.5, "noise_multiplier": 0.5, "accept_noise": true})";

TEST(PrivateFederation, EveryRoundIsTheNoisyMeanAndEachSitePaysForEachRoundOnce) {
  std::size_t reports = 0;
  const FederationOutcome outcome = RunFederation(
      {.mode = "secure", .site_privacy = kFixed, .hear = [&](const SiteName&, const wire::SiteMessage& message) {
         reports += std::holds_alternative<wire::EvaluationReport>(message) ||
                    std::holds_alternative<wire::UpdateReady>(message);
       }});
  ASSERT_TRUE(outcome.finished) << outcome.end;
  EXPECT_EQ(outcome.sums, 3u);
  EXPECT_EQ(outcome.tasks_run, 9u) << "nobody evaluates";
  EXPECT_EQ(reports, 0u) << "nothing but vectors leaves a site";
  EXPECT_TRUE(outcome.evaluations.empty());
  for (const auto& [site, charges] : outcome.charges) EXPECT_EQ(charges.size(), 3u) << site;
  EXPECT_THAT(outcome.clips, Each(0.5)) << "it does not adapt";
}

TEST(PrivateFederation, TheClipFollowsTheNormsByAFactorThatTheSumSays) {
  const FederationOutcome outcome = RunFederation({.mode = "secure", .rounds = 12, .site_privacy = kAdaptive});
  ASSERT_TRUE(outcome.finished) << outcome.end;
  ASSERT_EQ(outcome.clips.size(), 12u);
  double before = 1;
  for (const double clip : outcome.clips) {
    EXPECT_LE(std::fabs(std::log(clip / before)), 0.1 + 1e-12) << "0.2 times at most half";
    EXPECT_NE(clip, before);
    before = clip;
  }
  EXPECT_EQ(outcome.next_clip, outcome.clips.back());
  EXPECT_GT(outcome.clips.back(), 1) << "four values of a normal have norms of about 2";
}

TEST(PrivateFederation, KillingTheCoordinatorAtAnyActionChangesNoClipNoNoiseAndNoAccount) {
  const FederationOutcome calm = RunFederation({.mode = "secure", .rounds = 2, .site_privacy = kAdaptive});
  ASSERT_TRUE(calm.finished) << calm.end;
  for (std::size_t crash = 1; crash <= calm.actions.at(kHub); ++crash) {
    const FederationOutcome outcome =
        RunFederation({.mode = "secure", .rounds = 2, .site_privacy = kAdaptive, .crashes = {{kHub, {crash}}}});
    ASSERT_TRUE(outcome.finished) << "action " << crash << ": " << outcome.end;
    EXPECT_EQ(outcome.clips, calm.clips) << "action " << crash;
    EXPECT_EQ(outcome.next_clip, calm.next_clip) << "action " << crash;
    EXPECT_EQ(outcome.charges, calm.charges) << "action " << crash << ": a sum of the same sites is one release";
    ASSERT_EQ(outcome.model, calm.model) << "action " << crash << ": the same vectors, to the bit";
  }
}

TEST(PrivateFederation, KillingAClientAtAnyActionCostsItsAccountNothingMore) {
  const FederationOutcome calm = RunFederation({.mode = "secure", .rounds = 2, .site_privacy = kAdaptive});
  for (std::size_t crash = 1; crash <= calm.actions.at("b"); ++crash) {
    const FederationOutcome outcome =
        RunFederation({.mode = "secure", .rounds = 2, .site_privacy = kAdaptive, .crashes = {{"b", {crash}}}});
    ASSERT_TRUE(outcome.finished) << "action " << crash << ": " << outcome.end;
    EXPECT_EQ(outcome.sums + outcome.skipped, 2u) << "action " << crash;
    for (const auto& [site, charges] : outcome.charges) EXPECT_LE(charges.size(), 2u) << site << ", action " << crash;
  }
}

TEST(PrivateFederation, ASumOfOtherSitesIsAnotherReleaseAndIsPaidForAnew) {
  // Two of five vanish when the others have made their vectors: too few for that sum, and enough for one of their own.
  const FederationOutcome outcome =
      RunFederation({.mode = "secure",
                     .site_privacy = kFixed,
                     .sites = {"a", "b", "c", "d", "e"},
                     .vanish = {{"c", SecureStage::kShares}, {"d", SecureStage::kShares}}});
  ASSERT_TRUE(outcome.finished) << outcome.end;
  EXPECT_EQ(outcome.sums, 3u);
  EXPECT_EQ(outcome.sessions, 4u);
  for (const char* site : {"a", "b", "e"}) EXPECT_EQ(outcome.charges.at(SiteName(site)).size(), 4u) << site;
}

TEST(PrivateFederation, ASiteWhoseAccountIsEmptyReleasesNothingAndTheJobEndsWithThatCode) {
  const FederationOutcome outcome =
      RunFederation({.mode = "secure", .rounds = 4, .site_privacy = kFixed, .releases_max = 2});
  EXPECT_FALSE(outcome.finished);
  EXPECT_EQ(outcome.code, StatusCode::kPrivacyBudget);
  EXPECT_THAT(outcome.end, HasSubstr("the account is empty"));
  EXPECT_EQ(outcome.sums, 2u);
  // Work that was refused is tried again from the state before it (the world checks each task's).
  for (const auto& [site, rounds] : outcome.released) EXPECT_EQ(rounds.size(), 2u) << site;
}

// --- a coordinator that lies

void ExpectRefusal(const Lie& lie, const std::string& reason) {
  const FederationOutcome outcome = RunFederation({.mode = "secure", .site_privacy = kFixed, .lie = lie});
  EXPECT_FALSE(outcome.finished);
  ASSERT_TRUE(outcome.refusals.contains(SiteName("a"))) << reason << ": the site went along; " << outcome.end;
  EXPECT_THAT(outcome.refusals.at(SiteName("a")).front(), HasSubstr(reason));
  EXPECT_FALSE(outcome.released.contains(SiteName("a")));
  EXPECT_TRUE(outcome.charges.at(SiteName("a")).empty());
  EXPECT_EQ(outcome.sums, 0u);
}

Lie WithClip(double clip, const std::string& site) {
  return [=](const SiteName& to, wire::CoordinatorMessage& message) {
    auto* question = std::get_if<wire::SecureRequest>(&message);
    if (question == nullptr || question->stage != SecureStage::kKeys || to.value() != site) return;
    secagg::NoisyOpening opening = secagg::DecodeNoisyOpening(question->body).value();
    opening.clip = clip;
    question->body = secagg::Encode(opening);
  };
}

TEST(LyingCoordinatorOfAPrivateRound, CannotSendAClipThatIsNone) {
  for (const double clip : {0.0, -1.0, 1e-300, 1e300})
    ExpectRefusal(WithClip(clip, "a"), "a clip is between 1e-09 and 1e+09");
  ExpectRefusal(WithClip(std::nan(""), "a"), "a clip that is not finite");
}

TEST(LyingCoordinatorOfAPrivateRound, CannotSendSitesDifferentClips) {
  const FederationOutcome outcome =
      RunFederation({.mode = "secure", .site_privacy = kFixed, .lie = WithClip(0.25, "b")});
  EXPECT_FALSE(outcome.finished);
  EXPECT_TRUE(outcome.released.empty());
  EXPECT_THAT(outcome.end, HasSubstr("the advert of 'b' is not signed by it for this session"));
}

TEST(LyingCoordinatorOfAPrivateRound, CannotHaveASiteTellAScore) {
  for (const wire::TaskKind kind : {wire::TaskKind::kValidate, wire::TaskKind::kEvaluate, wire::TaskKind::kStatistics})
    ExpectRefusal(
        [kind](const SiteName& to, wire::CoordinatorMessage& message) {
          if (auto* task = std::get_if<wire::Task>(&message); task != nullptr && to.value() == "a")
            task->task.kind = kind;
        },
        "nothing but noisy sums leaves this site");
}

}  // namespace
}  // namespace consilium::client
