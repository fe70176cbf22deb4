// A site's desk over a real kit: what it answers, what it notes, and what a person does meanwhile by the commands.
#include "client/site/site_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/site/site_verb.h"
#include "comm/base/file.h"
#include "comm/wire/job.h"
#include "coordinator/audit/audit_verb.h"
#include "coordinator/provision/provision.h"
#include "tests/testing/run_program.h"

namespace consilium::client {
namespace {

namespace fs = std::filesystem;
using Kind = SiteAnswer::Kind;
using ::testing::HasSubstr;

class SiteDeskTest : public ::testing::Test {
 protected:
  // Made once; each test has a copy.
  static void SetUpTestSuite() {
    made_.emplace();
    coordinator::Project project;
    project.name = "heart";
    project.host = "localhost";
    project.port = 8443;
    project.sites = {SiteName("alpha"), SiteName("beta"), SiteName("gamma")};
    CONSILIUM_CHECK(coordinator::MakeKits(project, *made_ / "kits").ok());
  }
  static void TearDownTestSuite() { made_.reset(); }
  SiteDeskTest() {
    fs::copy(*made_ / "kits", scratch_ / "kits", fs::copy_options::recursive);
    Open();
  }
  fs::path kit() const { return scratch_ / "kits" / "alpha"; }
  fs::path log() const { return scratch_ / "state" / "audit.jsonl"; }
  void Open() {
    desk_.reset();  // it holds the log
    desk_ = SiteDesk::Open({.kit = transport::ReadKit(kit()).value(), .state = scratch_ / "state"}).value();
  }
  static std::string Job(const std::string& name = "hippocampus", int sites_min = 3) {
    return Json({{"name", name},
                 {"data", {{"dataset", "Dataset004_Hippocampus"}}},
                 {"model", {{"patch_size", {8, 8, 8}}}},
                 {"federation", {{"rounds", 5}, {"sites", {{"min", sites_min}}}}}})
        .dump();
  }
  static wire::TaskKey Key(int round, const std::string& job = "hippocampus") {
    return {JobId(job), Round{static_cast<std::uint32_t>(round)}, Attempt{}, wire::TaskKind::kTrain};
  }
  // Replaces text in the policy and signs it, as an editor and the command would.
  void Edit(const std::string& from, const std::string& to) {
    const fs::path file = policy::PolicyFilesIn(kit()).text;
    std::string text = ReadFile(file).value();
    CONSILIUM_CHECK(text.find(from) != std::string::npos, from);
    text.replace(text.find(from), from.size(), to);
    CONSILIUM_CHECK(WriteFileAtomic(file, text).ok());
    CONSILIUM_CHECK(Site({"policy", "--sign"}) == 0);
  }
  int Site(Arguments arguments) {
    arguments.insert(arguments.end(), {"--kit", kit().string(), "--state", (scratch_ / "state").string()});
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int exit_code = SiteVerb(arguments);
    said_ = ::testing::internal::GetCapturedStdout() + ::testing::internal::GetCapturedStderr();
    return exit_code;
  }
  std::vector<std::string> Types() const {
    std::vector<std::string> types;
    std::istringstream lines(ReadFile(log()).value());
    for (std::string line; std::getline(lines, line);) types.push_back(policy::ParseEntry(line)->type);
    return types;
  }
  inline static std::optional<consilium::testing::ScratchFolder> made_;
  consilium::testing::ScratchFolder scratch_;
  std::unique_ptr<SiteDesk> desk_;
  std::string said_;
};

TEST_F(SiteDeskTest, TheSamplePolicyLetsAJobOfThreeSitesRunAndNotOneOfTwo) {
  EXPECT_EQ(desk_->Ask(Key(0), Job())->kind, Kind::kYes);
  const SiteAnswer two = desk_->Ask(Key(0, "pair"), Job("pair", 2)).value();
  EXPECT_EQ(two.kind, Kind::kNo);
  EXPECT_THAT(two.message, HasSubstr("refused by site policy [cohort_too_small]: "));
  EXPECT_THAT(Types(), ::testing::ElementsAre("started", "policy", "task_accepted", "task_refused"));
}

TEST_F(SiteDeskTest, AChangeThatIsNotSignedDeniesEverythingUntilItIs) {
  const fs::path file = policy::PolicyFilesIn(kit()).text;
  ASSERT_TRUE(WriteFileAtomic(file, ReadFile(file).value() + "# a remark\n").ok());
  EXPECT_THAT(desk_->Ask(Key(0), Job())->message, HasSubstr("[policy_not_signed]"));
  ASSERT_EQ(Site({"policy", "--sign"}), 0) << said_;
  EXPECT_EQ(desk_->Ask(Key(0), Job())->kind, Kind::kYes);  // the running client needs no restart
  fs::remove(file);
  const SiteAnswer none = desk_->Ask(Key(1), Job()).value();
  EXPECT_THAT(none.message, HasSubstr("[no_policy]"));
  EXPECT_THAT(none.message, HasSubstr("consilium site policy --init"));
  fs::remove(kit() / "roster.json");
  EXPECT_THAT(desk_->Ask(Key(1), Job())->message, HasSubstr("[no_signing_key]"));
}

TEST_F(SiteDeskTest, AJobThatWaitsRunsOnceAPersonApprovedExactlyTheseContents) {
  Edit("approval: automatic", "approval: manual");
  const SiteAnswer waits = desk_->Ask(Key(0), Job()).value();
  EXPECT_EQ(waits.kind, Kind::kNotYet);
  EXPECT_THAT(waits.message, HasSubstr("consilium site approve hippocampus"));
  ASSERT_EQ(Site({"jobs"}), 0);
  EXPECT_THAT(said_, HasSubstr("hippocampus  waits [not_approved]"));
  EXPECT_EQ(Site({"approve", "hipocampus"}), 2);
  EXPECT_THAT(said_, HasSubstr("known: hippocampus"));
  ASSERT_EQ(Site({"approve", "hippocampus", "--reason", "ethics vote 12/26"}), 0) << said_;
  EXPECT_EQ(desk_->Ask(Key(0), Job())->kind, Kind::kYes);
  EXPECT_EQ(desk_->Ask(Key(1), Job("hippocampus", 4))->kind, Kind::kNotYet) << "it came back changed";
  ASSERT_EQ(Site({"refuse", "hippocampus"}), 0);
  EXPECT_THAT(desk_->Ask(Key(2), Job())->message, HasSubstr("[refused_by_person]"));
  EXPECT_THAT(Types(), ::testing::Contains("decision").Times(2));
}

TEST_F(SiteDeskTest, WhatTheDataSetHasGivenIsCountedOverJobsAndRestarts) {
  Edit("releases: 100000", "releases: 2");
  EXPECT_EQ(desk_->Ask(Key(0), Job())->kind, Kind::kYes);
  EXPECT_EQ(desk_->Ask(Key(0, "other"), Job("other"))->kind, Kind::kYes);
  Open();
  EXPECT_EQ(desk_->Ask(Key(0), Job())->kind, Kind::kYes) << "the same work again is no new release";
  EXPECT_THAT(desk_->Ask(Key(1), Job())->message, HasSubstr("[releases_spent]"));
  ASSERT_EQ(Site({"policy"}), 0);
  EXPECT_THAT(said_, HasSubstr("2 of 2 releases"));
}

TEST_F(SiteDeskTest, AJobThatThisProgramCannotReadIsNotJudgedByItsName) {
  for (const char* job : {"{}", "", "{\"name\": \"hippocampus\", \"federation\": {\"backdoor\": 1}}"})
    EXPECT_THAT(desk_->Ask(Key(0), job)->message, HasSubstr("[job_unreadable]")) << job;
  // A task under one name, a job under another.
  EXPECT_THAT(desk_->Ask(Key(0), Job("allowed-one"))->message, HasSubstr("[job_unreadable]"));
}

TEST_F(SiteDeskTest, MetricsThatThePolicyDoesNotNameDoNotLeaveInAnyMessage) {
  Edit("allowed: [\"*\"]", "allowed: [loss]");
  ASSERT_EQ(desk_->Ask(Key(0), Job())->kind, Kind::kYes);
  const wire::Metrics metrics = {{"loss", 0.5}, {"dice", 0.7}};
  const wire::Metrics loss = {{"loss", 0.5}};
  EXPECT_EQ(std::get<wire::Heartbeat>(desk_->Filtered(wire::Heartbeat{.metrics = metrics})).metrics, loss);
  EXPECT_EQ(std::get<wire::UpdateReady>(desk_->Filtered(wire::UpdateReady{.metrics = metrics})).metrics, loss);
  EXPECT_EQ(std::get<wire::EvaluationReport>(desk_->Filtered(wire::EvaluationReport{Key(0), metrics})).metrics, loss);
}

TEST_F(SiteDeskTest, TheLogOfARoundIsSignedByTheSiteAndHoldsAndATamperedOneStopsTheClient) {
  const wire::BlobManifest update{Sha256Of("update"), 6, {}};
  ASSERT_EQ(desk_->Ask(Key(0), Job())->kind, Kind::kYes);
  ASSERT_TRUE(desk_->NoteRun(Key(0), Sha256Of("model")).ok());
  ASSERT_TRUE(desk_->NoteRelease(Key(0), update).ok());
  ASSERT_TRUE(desk_->NoteRelease(Key(0), update).ok());  // a cut upload begins again: one release
  ASSERT_TRUE(desk_->NoteStop(Status()).ok());
  EXPECT_THAT(Types(), ::testing::ElementsAre("started", "policy", "task_accepted", "task_started", "release",
                                              "checkpoint", "stopped", "checkpoint"));
  desk_.reset();
  const auto verify = [&] {
    ::testing::internal::CaptureStdout();
    const int exit_code = coordinator::AuditVerb({"verify", (scratch_ / "state").string(), "--kit", kit().string()});
    said_ = ::testing::internal::GetCapturedStdout();
    return exit_code;
  };
  EXPECT_EQ(verify(), 0) << said_;
  EXPECT_THAT(said_, HasSubstr("8 entries of 'alpha', 7 of them signed"));
  std::string text = ReadFile(log()).value();
  text.replace(text.find("task_accepted"), 4, "TASK");
  ASSERT_TRUE(WriteFileAtomic(log(), text).ok());
  EXPECT_EQ(verify(), 1);
  EXPECT_THAT(said_, HasSubstr("line 3: the entry was changed"));
  const auto again = SiteDesk::Open({.kit = transport::ReadKit(kit()).value(), .state = scratch_ / "state"});
  EXPECT_EQ(again.code(), StatusCode::kDataLoss);
  EXPECT_THAT(again.status().message(), HasSubstr("move it away to go on"));
}

TEST_F(SiteDeskTest, APersonsMistakesAreAnsweredWithWhatToDo) {
  EXPECT_EQ(Site({"policy", "--init"}), static_cast<int>(ExitCodeFor(AlreadyExists("x"))));
  EXPECT_THAT(said_, HasSubstr("is there already"));
  EXPECT_EQ(Site({"policy", "--init", "--sign"}), 2);
  EXPECT_EQ(Site({"policy", "--key", "x"}), 2);
  EXPECT_EQ(Site({"polic"}), 2);
  EXPECT_THAT(said_, HasSubstr("policy"));
  EXPECT_EQ(Site({"approve", "nothing"}), 2);
  EXPECT_THAT(said_, HasSubstr("none has"));
  const fs::path file = policy::PolicyFilesIn(kit()).text;
  std::string text = ReadFile(file).value();
  text.replace(text.find("min_cohort: 3"), 10, "min_kohort");
  ASSERT_TRUE(WriteFileAtomic(file, text).ok());
  EXPECT_EQ(Site({"policy", "--sign"}), 2);
  EXPECT_THAT(said_, HasSubstr("min_cohort"));
}

}  // namespace
}  // namespace consilium::client
