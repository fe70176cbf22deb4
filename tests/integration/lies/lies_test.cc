// A coordinator that lies over real gRPC to the real client: the honest site refuses by a named reason, releases
// nothing, and has it in its audit log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "privacy/secagg/message_lists.h"
#include "tests/integration/lies/lying_consortium.h"

namespace consilium::testing {
namespace {

using secagg::Advert;
using secagg::Confirmation;
using secagg::SealedShares;
using ::testing::HasSubstr;
using wire::SecureStage;

// One federation for all lies: each is a job of its own.
class Lies : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { consortium_ = new LyingConsortium(); }
  static void TearDownTestSuite() { delete std::exchange(consortium_, nullptr); }
  static LyingConsortium& consortium() { return *consortium_; }

  static void ExpectNothingReleasedBy(const std::string& site, const std::string& job) {
    EXPECT_FALSE(consortium().transport().ReleasedOf(JobId(job)).contains(SiteName(site))) << job;
    for (const Json& entry : consortium().EntriesOf(site))
      EXPECT_FALSE(entry["type"] == "shares_released" && entry["detail"]["job"] == job) << entry;
  }

  // The lie goes to site a, in the question of one stage.
  static void ExpectRefusal(const std::string& job, SecureStage stage, std::function<void(wire::SecureRequest&)> change,
                            const std::string& reason) {
    SCOPED_TRACE(job);
    consortium().Submit(job, {.tell = [=](const SiteName& to, wire::CoordinatorMessage& message) {
                          auto* question = std::get_if<wire::SecureRequest>(&message);
                          if (question != nullptr && question->stage == stage && to.value() == "a") change(*question);
                        }});
    const Json entry = consortium().AwaitEntry("a", job, "secure_refused", reason);
    EXPECT_NE(entry.value("code", "ok"), "ok");
    ExpectNothingReleasedBy("a", job);
    consortium().Abort(job);
  }
  // Names, adverts, ...: changes the decoded body.
  template <typename T, typename Decode, typename Encode>
  static std::function<void(wire::SecureRequest&)> Changed(Decode decode, Encode encode,
                                                           std::function<void(T&)> change) {
    return [=](wire::SecureRequest& question) {
      auto decoded = decode(question.body);
      if (!decoded.ok()) return;  // changed already
      change(*decoded);
      question.body = encode(*decoded);
    };
  }
  // Keeps what e answers at that stage, for a coordinator that passes it on where its honest part would not.
  template <typename Message, typename Decode>
  static auto KeepingAnswerOfE(SecureStage stage, Decode decode, std::shared_ptr<std::optional<Message>> kept) {
    return [=](LyingTransport&, const SiteName& from, const wire::SecureAnswer& answer) {
      if (answer.stage == stage && from.value() == "e") *kept = decode(answer.body).value();
      return true;
    };
  }
  static auto Names(std::vector<std::string> names) {
    return [names](wire::SecureRequest& question) {
      std::vector<SiteName> sites;
      for (const std::string& name : names) sites.emplace_back(name);
      question.body = secagg::EncodeNames(sites);
    };
  }
  static auto Adverts(std::function<void(std::vector<Advert>&)> change) {
    return Changed<std::vector<Advert>>(
        secagg::DecodeAdverts, [](const std::vector<Advert>& list) { return secagg::EncodeAdverts(list); }, change);
  }
  static auto Shares(std::function<void(std::vector<SealedShares>&)> change) {
    return Changed<std::vector<SealedShares>>(
        secagg::DecodeShares, [](const std::vector<SealedShares>& list) { return secagg::EncodeShares(list); }, change);
  }
  static auto Survivors(std::function<void(secagg::SurvivorList&)> change) {
    return Changed<secagg::SurvivorList>(
        secagg::DecodeSurvivorList, [](const secagg::SurvivorList& list) { return secagg::Encode(list); }, change);
  }
  static auto Confirmations(std::function<void(std::vector<Confirmation>&)> change) {
    return Changed<std::vector<Confirmation>>(
        secagg::DecodeConfirmations,
        [](const std::vector<Confirmation>& list) { return secagg::EncodeConfirmations(list); }, change);
  }

 private:
  static LyingConsortium* consortium_;
};
LyingConsortium* Lies::consortium_ = nullptr;

TEST_F(Lies, TheTruthGoesThroughAndEverySiteKeepsTheCoordinatorsAuditHead) {
  consortium().Submit("truth", {});
  consortium().AwaitState("truth", "ok");
  EXPECT_EQ(consortium().transport().ReleasedOf(JobId("truth")).size(), 5u);
  Json seen;
  for (const std::string& site : consortium().sites()) {
    const Json confirmed = consortium().AwaitEntry(site, "truth", "survivors_confirmed", "");
    EXPECT_EQ(confirmed["survivors"], Json(consortium().sites()));
    EXPECT_GT(confirmed["entries"].get<int>(), 0);
    if (seen.is_null()) seen = confirmed["head"];
    EXPECT_EQ(confirmed["head"], seen) << "all are told the same";
    consortium().AwaitEntry(site, "truth", "shares_released", "");
  }
  EXPECT_EQ(consortium().Verify(consortium().sites()).exit_code, 0);
}

TEST_F(Lies, AboutWhoTakesPart) {
  ExpectRefusal("sybil", SecureStage::kKeys, Names({"a", "b", "c", "sybil"}),
                "'sybil' among the sites, who is not in this site's roster");
  ExpectRefusal("pair", SecureStage::kKeys, Names({"a", "b"}), "takes part among at least 3");
  ExpectRefusal("below-the-job", SecureStage::kKeys, Names({"a", "b", "c"}), "4");
  ExpectRefusal("left-out", SecureStage::kKeys, Names({"b", "c", "d", "e"}), "a");
  ExpectRefusal("twice", SecureStage::kKeys, Names({"a", "a", "b", "c"}), "or 'a' is in it twice");
  ExpectRefusal(
      "noise", SecureStage::kKeys, [](wire::SecureRequest& question) { question.body.assign(9, 0xff); }, "");
}

TEST_F(Lies, AboutKeys) {
  ExpectRefusal("own-key", SecureStage::kShares, Adverts([](auto& adverts) {
                  SeededEntropy entropy(99);
                  adverts[1].channel = crypto::AgreementKey::Generate(entropy).public_key();
                }),
                "'b' is not signed by it for this session");
  ExpectRefusal("unsigned", SecureStage::kShares, Adverts([](auto& adverts) { adverts[2].signature = {}; }),
                "'c' is not signed by it for this session");
  ExpectRefusal("changed", SecureStage::kShares, Adverts([](auto& adverts) { adverts[0].mask[3] ^= 1; }),
                "our own advert came back changed");
  ExpectRefusal("missing", SecureStage::kShares, Adverts([](auto& adverts) { adverts.erase(adverts.begin()); }),
                "our own advert did not come back");
  ExpectRefusal("threshold", SecureStage::kShares, Adverts([](auto& adverts) { adverts.resize(2); }),
                "only 2 sites advertised around us; 4 are needed");
  ExpectRefusal("repeated", SecureStage::kShares, Adverts([](auto& adverts) { adverts.push_back(adverts[1]); }),
                "two adverts of 'b'");
}

TEST_F(Lies, AboutShares) {
  ExpectRefusal("spoilt", SecureStage::kVector, Shares([](auto& shares) { shares[0].sealed[5] ^= 1; }),
                "the shares of 'b'");
  ExpectRefusal("swapped", SecureStage::kVector,
                Shares([](auto& shares) { std::swap(shares[0].sealed, shares[1].sealed); }), "does not open");
  ExpectRefusal("for-another", SecureStage::kVector, Shares([](auto& shares) { shares[0].to = 3; }), "for place 3");
  ExpectRefusal("too-few-shares", SecureStage::kVector, Shares([](auto& shares) { shares.resize(2); }),
                "only 3 sites shared around us; 4 are needed");
}

TEST_F(Lies, AboutSurvivors) {
  ExpectRefusal("dead", SecureStage::kConfirm,
                Survivors([](auto& list) { list.survivors.erase(list.survivors.begin()); }),
                "we sent our vector and are not among the survivors");
  ExpectRefusal("few", SecureStage::kConfirm, Survivors([](auto& list) { list.survivors.resize(3); }),
                "only 3 survivors; at least 4 are needed");
  ExpectRefusal("invented", SecureStage::kConfirm, Survivors([](auto& list) { list.survivors.push_back(5); }),
                "distinct places of the cohort");
  ExpectRefusal("no-log", SecureStage::kConfirm, Survivors([](auto& list) { list.audit = {}; }),
                "tells nothing of its audit log");
}

TEST_F(Lies, AboutConfirmations) {
  ExpectRefusal("forged", SecureStage::kRelease, Confirmations([](auto& list) { list[2].signature[0] ^= 1; }),
                "'c' is not its signature of the survivors that we confirmed");
  ExpectRefusal("too-few", SecureStage::kRelease, Confirmations([](auto& list) { list.resize(3); }),
                "only 3 survivors around us confirmed");
  ExpectRefusal("padded", SecureStage::kRelease,
                Confirmations([](auto& list) { list.resize(3), list.push_back(list[1]); }), "came twice");
  ExpectRefusal(
      "skipped", SecureStage::kShares, [](wire::SecureRequest& question) { question.stage = SecureStage::kRelease; },
      "asks for 'release' where 'shares' is next");
}

// What was signed for one list is shown to those who signed the other: both kinds of shares would come back.
TEST_F(Lies, TwoListsOfSurvivorsForTwoHalvesOfTheSites) {
  auto heard = std::make_shared<std::map<SiteName, Confirmation>>();
  const std::string job = "two-lists";
  consortium().Submit(job,
                      {.tell =
                           [](const SiteName& to, wire::CoordinatorMessage& message) {
                             auto* question = std::get_if<wire::SecureRequest>(&message);
                             if (question == nullptr || question->stage != SecureStage::kConfirm || to.value() > "b")
                               return;
                             secagg::SurvivorList list = secagg::DecodeSurvivorList(question->body).value();
                             list.survivors.pop_back();
                             question->body = secagg::Encode(list);
                           },
                       .hear =
                           [heard](LyingTransport& transport, const SiteName& from, const wire::SecureAnswer& answer) {
                             if (answer.stage != SecureStage::kConfirm) return true;
                             (*heard)[from] = secagg::DecodeConfirmation(answer.body).value();
                             if (heard->size() < 5) return false;
                             std::vector<Confirmation> all;
                             for (const auto& [site, confirmation] : *heard) all.push_back(confirmation);
                             for (const auto& [site, confirmation] : *heard)
                               transport.Say(site, wire::SecureRequest{.task = answer.task,
                                                                       .session = answer.session,
                                                                       .stage = SecureStage::kRelease,
                                                                       .body = secagg::EncodeConfirmations(all)});
                             return false;
                           }});
  for (const std::string& site : consortium().sites()) {
    consortium().AwaitEntry(site, job, "secure_refused", "the coordinator showed it other ones, or forged it");
    ExpectNothingReleasedBy(site, job);
  }
  consortium().Abort(job);
}

// Two sites are told of two versions of the coordinator's log: they find it out in the same round, and whoever compares
// their logs later finds it again.
TEST_F(Lies, TwoVersionsOfTheAuditLog) {
  auto odd = std::make_shared<std::optional<Confirmation>>();
  const std::string job = "forked-log";
  consortium().Submit(
      job, {.tell =
                [odd](const SiteName& to, wire::CoordinatorMessage& message) {
                  auto* question = std::get_if<wire::SecureRequest>(&message);
                  if (question != nullptr && question->stage == SecureStage::kConfirm && to.value() == "e")
                    Survivors([](auto& list) { list.audit.head = Sha256Of("the other version"); })(*question);
                  // The honest part of the coordinator would not pass on what e has signed.
                  if (question != nullptr && question->stage == SecureStage::kRelease && *odd)
                    Confirmations([&](auto& list) { list.push_back(**odd); })(*question);
                },
            .hear = KeepingAnswerOfE(SecureStage::kConfirm, secagg::DecodeConfirmation, odd)});
  for (const char* site : {"a", "b", "c", "d"}) {
    consortium().AwaitEntry(site, job, "secure_refused", "told 'e' of another audit log than us");
    ExpectNothingReleasedBy(site, job);
  }
  consortium().AwaitEntry("e", job, "survivors_confirmed", "");
  ExpectNothingReleasedBy("e", job);
  const ProgramResult verdict = consortium().Verify({"a", "e"});
  EXPECT_EQ(verdict.exit_code, 1);
  EXPECT_THAT(verdict.output, HasSubstr("'consortium' keeps two versions of its log"));
  consortium().Abort(job);
}

// What a site signs is bound to the model and the job that it was given: what e says does not fit what the others were
// given, and a coordinator that passes it on all the same is found out.
TEST_F(Lies, AnotherModelOrAnotherJobForOneSite) {
  const wire::BlobManifest other = consortium().OtherModel();
  const auto relay = [](const std::string& job, std::function<void(wire::Task&)> change) {
    auto odd = std::make_shared<std::optional<Advert>>();
    consortium().Submit(job, {.tell =
                                  [=](const SiteName& to, wire::CoordinatorMessage& message) {
                                    if (auto* task = std::get_if<wire::Task>(&message);
                                        task != nullptr && to.value() == "e")
                                      change(*task);
                                    auto* question = std::get_if<wire::SecureRequest>(&message);
                                    if (question != nullptr && question->stage == SecureStage::kShares && *odd)
                                      Adverts([&](auto& adverts) { adverts.push_back(**odd); })(*question);
                                  },
                              .hear = KeepingAnswerOfE(SecureStage::kKeys, secagg::DecodeAdvert, odd)});
    for (const char* site : {"a", "b", "c", "d"}) {
      consortium().AwaitEntry(site, job, "secure_refused", "'e' is not signed by it for this session");
      ExpectNothingReleasedBy(site, job);
    }
    ExpectNothingReleasedBy("e", job);
    consortium().Abort(job);
  };
  relay("another-model", [other](wire::Task& task) { task.model = other; });
  relay("another-job", [](wire::Task& task) { task.job_json.insert(task.job_json.size() - 1, " "); });
}

// A job that protects less than what was handed in, for one site: its own policy judges what it is given.
TEST_F(Lies, AWeakerJobForOneSite) {
  const auto weaker = [](const std::string& job, std::function<void(Json&)> change, const std::string& reason) {
    SCOPED_TRACE(job);
    consortium().Submit(job, {.tell = [=](const SiteName& to, wire::CoordinatorMessage& message) {
                          auto* task = std::get_if<wire::Task>(&message);
                          if (task == nullptr || to.value() != "a") return;
                          Json json = ParseJson(task->job_json, "the job").value();
                          change(json["federation"]);
                          task->job_json = json.dump();
                        }});
    consortium().AwaitEntry("a", job, "task_refused", reason);
    ExpectNothingReleasedBy("a", job);
    for (const Json& entry : consortium().EntriesOf("a"))
      EXPECT_FALSE(entry["type"] == "task_started" && entry["detail"]["job"] == job) << entry;
    consortium().Abort(job);
  };
  weaker(
      "in-the-open",
      [](Json& federation) {
        federation.erase("secure_aggregation");
        federation["mode"] = "close";
      },
      "requires federation.secure_aggregation.enabled");
  weaker(
      "small-cohort", [](Json& federation) { federation["secure_aggregation"]["min_cohort"] = 3; }, "4 at least");
  weaker(
      "no-clip", [](Json& federation) { federation["secure_aggregation"]["clip"] = 0; }, "clip");
}

// Two sums over slightly different sites would show the difference: a round is released once.
TEST_F(Lies, ASecondSumOfARoundThatWasReleased) {
  const std::string job = "again";
  consortium().Submit(job, {.tell = [](const SiteName& to, wire::CoordinatorMessage& message) {
                        const auto* receipt = std::get_if<wire::Receipt>(&message);
                        if (receipt == nullptr || to.value() != "a") return;
                        message = wire::SecureRequest{.task = receipt->task,
                                                      .session = 99,
                                                      .stage = SecureStage::kKeys,
                                                      .body = secagg::EncodeNames(std::vector<SiteName>{
                                                          SiteName("a"), SiteName("b"), SiteName("c"), SiteName("d")})};
                      }});
  consortium().AwaitEntry("a", job, "secure_refused", "has released its shares of round 0 before, and does so once");
  int releases = 0;
  for (const Json& entry : consortium().EntriesOf("a"))
    releases += entry["type"] == "shares_released" && entry["detail"]["job"] == job;
  EXPECT_EQ(releases, 1);
}

}  // namespace
}  // namespace consilium::testing
