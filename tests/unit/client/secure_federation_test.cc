// Rounds under secure aggregation, with the real machines of both sides: kills at every action, sites that vanish at
// every stage, and coordinators that lie.  The world checks every sum against the mean of what was trained, that
// nothing but masked vectors is uploaded, and that no site releases shares of a round in two versions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/base/rng.h"
#include "federation_world.h"
#include "privacy/secagg/message_lists.h"

namespace consilium::client {
namespace {

using ::testing::HasSubstr;
using wire::SecureStage;

std::vector<float> FloatsOf(const std::string& model) {
  std::vector<float> values(model.size() / sizeof(float));
  std::memcpy(values.data(), model.data(), model.size());
  return values;
}

TEST(SecureFederation, EveryRoundIsTheMeanOfItsSitesAndEachOfThemReleasesOnce) {
  const FederationOutcome outcome = RunFederation({.mode = "secure"});
  ASSERT_TRUE(outcome.finished) << outcome.end;
  EXPECT_EQ(outcome.sums, 3u);
  EXPECT_EQ(outcome.sessions, 3u);
  EXPECT_EQ(outcome.skipped, 0u);
  EXPECT_EQ(outcome.tasks_run, 12u);  // 3 rounds and the evaluation
  for (const char* site : {"a", "b", "c"}) EXPECT_EQ(outcome.released.at(SiteName(site)).size(), 3u);
}

TEST(SecureFederation, AnyOrderOfEventsGivesTheSameSums) {
  const std::vector<float> first = FloatsOf(RunFederation({.mode = "secure"}).model);
  for (std::uint64_t seed = 2; seed < 25; ++seed) {
    const FederationOutcome outcome = RunFederation({.mode = "secure", .seed = seed});
    ASSERT_TRUE(outcome.finished) << "seed " << seed << ": " << outcome.end;
    EXPECT_EQ(outcome.sums, 3u) << "seed " << seed;
    const std::vector<float> model = FloatsOf(outcome.model);
    for (std::size_t k = 0; k < model.size(); ++k) EXPECT_NEAR(model[k], first[k], 1e-4) << "seed " << seed;
  }
}

TEST(SecureFederation, KillingTheCoordinatorAtAnyActionLosesNoRound) {
  const FederationOutcome calm = RunFederation({.mode = "secure", .rounds = 2});
  const std::vector<float> expected = FloatsOf(calm.model);
  for (std::size_t crash = 1; crash <= calm.actions.at(kHub); ++crash) {
    const FederationOutcome outcome = RunFederation({.mode = "secure", .rounds = 2, .crashes = {{kHub, {crash}}}});
    ASSERT_TRUE(outcome.finished) << "action " << crash << ": " << outcome.end;
    EXPECT_EQ(outcome.updates_used, 6u) << "action " << crash;
    EXPECT_EQ(outcome.skipped, 0u) << "action " << crash;
    EXPECT_EQ(outcome.tasks_run, 9u) << "action " << crash << ": trained again";
    const std::vector<float> model = FloatsOf(outcome.model);
    for (std::size_t k = 0; k < model.size(); ++k) ASSERT_NEAR(model[k], expected[k], 1e-4) << "action " << crash;
  }
}

TEST(SecureFederation, KillingAClientAtAnyActionCostsOneRoundAtMost) {
  const FederationOutcome calm = RunFederation({.mode = "secure", .rounds = 2});
  std::size_t lost = 0, again = 0;
  for (const char* site : {"a", "c"}) {
    for (std::size_t crash = 1; crash <= calm.actions.at(site); ++crash) {
      const FederationOutcome outcome = RunFederation({.mode = "secure", .rounds = 2, .crashes = {{site, {crash}}}});
      ASSERT_TRUE(outcome.finished) << site << "'s action " << crash << ": " << outcome.end;
      EXPECT_EQ(outcome.sums + outcome.skipped, 2u) << site << "'s action " << crash;
      EXPECT_LE(outcome.skipped, 1u) << site << "'s action " << crash;
      lost += outcome.skipped;
      again += outcome.sessions > 2;
    }
  }
  EXPECT_GT(again, 0u) << "some kill must have cost a session";
  EXPECT_LT(lost, again) << "a round is lost only where a site dies between the others' release and its own";
}

TEST(SecureFederation, ManyKillsOfEverybodyEndWell) {
  const FederationOutcome calm = RunFederation({.mode = "secure"});
  for (std::uint64_t seed = 1; seed < 40; ++seed) {
    FederationOptions options{.mode = "secure", .seed = seed};
    Rng rng(seed, 7);
    for (const char* actor : {kHub, "a", "b", "c"})
      for (std::uint64_t kills = rng.Below(3); kills > 0; --kills)
        options.crashes[actor].push_back(1 + rng.Below(calm.actions.at(actor)));
    const FederationOutcome outcome = RunFederation(options);
    ASSERT_TRUE(outcome.finished || outcome.end.find("rounds in a row were lost") != std::string::npos)
        << "seed " << seed << ": " << outcome.end;
  }
}

TEST(SecureFederation, OfFiveSitesOneMayVanishForGoodAtAnyStage) {
  for (const SecureStage stage : {SecureStage::kReady, SecureStage::kKeys, SecureStage::kShares, SecureStage::kVector,
                                  SecureStage::kConfirm, SecureStage::kRelease}) {
    const FederationOutcome outcome =
        RunFederation({.mode = "secure", .sites = {"a", "b", "c", "d", "e"}, .vanish = {{"c", stage}}});
    ASSERT_TRUE(outcome.finished) << wire::SecureStageName(stage) << ": " << outcome.end;
    EXPECT_EQ(outcome.sums, 3u) << wire::SecureStageName(stage);
    EXPECT_EQ(outcome.skipped, 0u) << wire::SecureStageName(stage);
    ASSERT_EQ(outcome.contributors.size(), 3u);
    EXPECT_EQ(outcome.contributors[0].size(), 5u);
    // Once its vector is there, it counts.
    EXPECT_EQ(outcome.contributors[1].contains(SiteName("c")), stage >= SecureStage::kVector)
        << wire::SecureStageName(stage);
    EXPECT_EQ(outcome.contributors[2].size(), 4u);
  }
}

// --- a coordinator that lies

// The lie is told to one site, or to all; every site that was lied to must say why it refused, and release nothing.
void ExpectRefusal(const Lie& lie, const std::string& site, const std::string& reason) {
  const FederationOutcome outcome = RunFederation({.mode = "secure", .lie = lie});
  EXPECT_FALSE(outcome.finished);
  ASSERT_TRUE(outcome.refusals.contains(SiteName(site))) << reason << ": the site went along; " << outcome.end;
  EXPECT_THAT(outcome.refusals.at(SiteName(site)).front(), HasSubstr(reason));
  EXPECT_FALSE(outcome.released.contains(SiteName(site)));
  EXPECT_EQ(outcome.sums, 0u);
}

// A lie in the body of one stage's question.
Lie InStage(SecureStage stage, const std::string& site, std::function<Bytes(const Bytes&)> change) {
  return [=](const SiteName& to, wire::CoordinatorMessage& message) {
    auto* question = std::get_if<wire::SecureRequest>(&message);
    if (question != nullptr && question->stage == stage && to.value() == site) question->body = change(question->body);
  };
}

TEST(LyingCoordinatorOfARound, CannotSumFewerSitesThanThreeOrStrangers) {
  const auto names = [](std::vector<std::string> list) {
    return [list](const Bytes&) {
      std::vector<SiteName> sites;
      for (const std::string& name : list) sites.emplace_back(name);
      return secagg::EncodeNames(sites);
    };
  };
  ExpectRefusal(InStage(SecureStage::kKeys, "a", names({"a", "b"})), "a", "takes part among at least 3");
  ExpectRefusal(InStage(SecureStage::kKeys, "a", names({"a", "b", "c", "sybil"})), "a",
                "'sybil' among the sites, who is not in this site's roster");
  ExpectRefusal(InStage(SecureStage::kKeys, "a", names({"a", "a", "b"})), "a", "or 'a' is in it twice");
}

TEST(LyingCoordinatorOfARound, CannotLeaveOutTheSiteItAsks) {
  ExpectRefusal(
      [](const SiteName& to, wire::CoordinatorMessage& message) {
        auto* question = std::get_if<wire::SecureRequest>(&message);
        if (question == nullptr || question->stage != SecureStage::kKeys || to.value() != "b") return;
        // "a" speaks for it in a job of four.
        question->body = secagg::EncodeNames(std::vector<SiteName>{SiteName("a"), SiteName("c")});
      },
      "b", "takes part among at least 3");
}

TEST(LyingCoordinatorOfARound, CannotPutAKeyOfItsOwnInAnAdvert) {
  ExpectRefusal(InStage(SecureStage::kShares, "a",
                        [](const Bytes& body) {
                          std::vector<secagg::Advert> adverts = secagg::DecodeAdverts(body).value();
                          SeededEntropy entropy(99);
                          adverts[1].channel = crypto::AgreementKey::Generate(entropy).public_key();
                          return secagg::EncodeAdverts(adverts);
                        }),
                "a", "'b' is not signed by it for this session");
}

TEST(LyingCoordinatorOfARound, CannotGiveSitesDifferentModels) {
  // Site b trains from another model: what it signs is for another session.  The coordinator itself cannot pass it on
  // as if it were for this one, and the honest part of it says so.
  const FederationOutcome outcome =
      RunFederation({.mode = "secure", .lie = [](const SiteName& to, wire::CoordinatorMessage& message) {
                       if (auto* task = std::get_if<wire::Task>(&message);
                           task != nullptr && to.value() == "b" && task->task.kind == wire::TaskKind::kTrain)
                         task->job_json.insert(task->job_json.size() - 1, " ");  // another configuration, to the byte
                     }});
  EXPECT_FALSE(outcome.finished);
  EXPECT_TRUE(outcome.released.empty());
  EXPECT_EQ(outcome.sums, 0u);
  EXPECT_THAT(outcome.end, HasSubstr("the advert of 'b' is not signed by it for this session"));
}

TEST(LyingCoordinatorOfARound, CannotPassOnSharesThatWereChanged) {
  ExpectRefusal(InStage(SecureStage::kVector, "c",
                        [](const Bytes& body) {
                          std::vector<secagg::SealedShares> shares = secagg::DecodeShares(body).value();
                          shares[0].sealed[5] ^= 1;
                          return secagg::EncodeShares(shares);
                        }),
                "c", "the shares of 'a'");
}

TEST(LyingCoordinatorOfARound, CannotNameOtherSurvivors) {
  ExpectRefusal(InStage(SecureStage::kConfirm, "a",
                        [](const Bytes& body) {
                          secagg::SurvivorList list = secagg::DecodeSurvivorList(body).value();
                          list.survivors.pop_back();
                          return secagg::Encode(list);
                        }),
                "a", "only 2 survivors; at least 3 are needed");
}

TEST(LyingCoordinatorOfARound, CannotDoWithForgedConfirmations) {
  ExpectRefusal(InStage(SecureStage::kRelease, "a",
                        [](const Bytes& body) {
                          auto confirmations = secagg::DecodeConfirmations(body).value();
                          confirmations[2].signature[0] ^= 1;
                          return secagg::EncodeConfirmations(confirmations);
                        }),
                "a", "'c' is not its signature of the survivors that we confirmed");
}

TEST(LyingCoordinatorOfARound, CannotSkipAStage) {
  ExpectRefusal(
      [](const SiteName& to, wire::CoordinatorMessage& message) {
        auto* question = std::get_if<wire::SecureRequest>(&message);
        if (question != nullptr && question->stage == SecureStage::kShares && to.value() == "a")
          question->stage = SecureStage::kRelease;
      },
      "a", "asks for 'release' where 'shares' is next");
}

TEST(LyingCoordinatorOfARound, CannotHaveARoundReleasedAgainUnderAnotherSession) {
  // In the place of each site's first receipt comes the same round in a new session, and then the task all over.
  std::set<std::string> asked;
  const FederationOutcome outcome =
      RunFederation({.mode = "secure", .lie = [&](const SiteName& to, wire::CoordinatorMessage& message) {
                       const auto* receipt = std::get_if<wire::Receipt>(&message);
                       if (receipt == nullptr || !asked.insert(to.value()).second) return;
                       const std::vector<SiteName> names = {SiteName("a"), SiteName("b"), SiteName("c")};
                       message = wire::SecureRequest{receipt->task, 99, SecureStage::kKeys, secagg::EncodeNames(names)};
                     }});
  EXPECT_EQ(asked.size(), 3u);
  for (const auto& [site, refusals] : outcome.refusals)
    EXPECT_THAT(refusals.front(), HasSubstr("has released its shares of round 0 before, and does so once")) << site;
  EXPECT_EQ(outcome.refusals.size(), 3u);
}

}  // namespace
}  // namespace consilium::client
