// Sites that decide for themselves, as real processes: what the coordinator hears, what an operator reads, what a
// person at the site does about it, and what can be proven afterwards.
#include <gmock/gmock.h>

#include <thread>

#include "tests/integration/operator/consortium.h"

namespace consilium::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

fs::path StateOf(Consortium& consortium, const std::string& site) {
  return consortium.federation().state_folder().parent_path() / "clients" / site;
}

// A log of its own for each program: they are appended to.
fs::path Fresh(Consortium& consortium) {
  static int count = 0;
  return consortium.scratch(Concat("program-", count++));
}

ProgramResult Site(Consortium& consortium, const std::string& site, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"consilium", "site"});
  arguments.insert(arguments.end(), {"--kit", consortium.federation().kit(site).string(), "--state",
                                     StateOf(consortium, site).string()});
  return RunProgram(std::move(arguments), Fresh(consortium));
}

// `why` until it says this.
std::string AwaitWhy(Consortium& consortium, const std::string& job, const std::string& text) {
  std::string said;
  for (const Instant deadline = SystemClock().Now() + kPatience; SystemClock().Now() < deadline;) {
    said = consortium.Ask("ann", {"why", job}).dump();
    if (said.find(text) != std::string::npos) return said;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  ADD_FAILURE() << "why never said '" << text << "', but " << said << consortium.federation().Logs();
  return said;
}

ProgramResult Verify(Consortium& consortium) {
  std::vector<std::string> arguments = {"consilium", "audit", "verify",
                                        consortium.federation().state_folder().string()};
  for (const std::string site : {"a", "b", "c"}) arguments.push_back(StateOf(consortium, site).string());
  arguments.insert(arguments.end(), {"--kit", consortium.federation().kit("ann").string()});
  return RunProgram(std::move(arguments), Fresh(consortium));
}

TEST(SitePolicy, ASiteWhosePolicyRefusesAnswersWithTheCodeAndTheJobSaysWhy) {
  Consortium consortium({.min_cohort = 3});
  consortium.Start();
  consortium.Submit("pair", {.sites = {"a", "b"}, .rounds = 1});
  consortium.AwaitState("pair", {"failed"});
  const std::string why = AwaitWhy(consortium, "pair", "refused by site policy [cohort_too_small]");
  EXPECT_THAT(why, HasSubstr("may be averaged over 2 sites, the policy asks for 3 at least"));
  const ProgramResult jobs = Site(consortium, "a", {"jobs"});
  EXPECT_THAT(jobs.output, HasSubstr("pair  refused [cohort_too_small]"));
  // Nothing was done of it: no training began, nothing was sent.
  const std::string log = ReadFile(StateOf(consortium, "a") / "audit.jsonl").value();
  EXPECT_THAT(log, AllOf(HasSubstr("\"type\":\"task_refused\""), HasSubstr("cohort_too_small")));
  EXPECT_THAT(log, Not(HasSubstr("task_started")));
  EXPECT_THAT(log, Not(HasSubstr("\"type\":\"release\"")));
  // The same sites take a job that their policies allow.
  consortium.Submit("all", {.rounds = 1});
  consortium.AwaitDigest("all");
}

TEST(SitePolicy, AJobThatWaitsForAPersonGoesOnOnceEachSiteApprovedItAndAllLogsHoldAndAgree) {
  Consortium consortium({.approval = "manual"});
  consortium.Start();
  consortium.Submit("heart", {.rounds = 2});
  AwaitWhy(consortium, "heart", "consilium site approve heart");
  for (const std::string site : {"a", "b", "c"}) {
    for (int tries = 0; tries < 100; ++tries) {  // until its client has noted the job
      if (Site(consortium, site, {"jobs"}).output.find("not_approved") != std::string::npos) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    const ProgramResult approved = Site(consortium, site, {"approve", "heart", "--reason", "ethics vote 12/26"});
    ASSERT_EQ(approved.exit_code, 0) << approved.output;
  }
  consortium.AwaitDigest("heart");
  const ProgramResult holds = Verify(consortium);
  EXPECT_EQ(holds.exit_code, 0) << holds.output;
  EXPECT_THAT(holds.output, AllOf(HasSubstr("of 'a'"), HasSubstr("of 'consortium'")));
  EXPECT_THAT(ReadFile(StateOf(consortium, "b") / "audit.jsonl").value(),
              AllOf(HasSubstr("\"type\":\"decision\""), HasSubstr("ethics vote 12/26"), HasSubstr("\"release\"")));
  EXPECT_THAT(ReadFile(consortium.federation().state_folder() / "audit.jsonl").value(),
              AllOf(HasSubstr("job_submitted"), HasSubstr("\"by\":\"ann\""), HasSubstr("model_published")));
  // Somebody with the disk in hand rewrites one word of one site's log.
  const fs::path log = StateOf(consortium, "b") / "audit.jsonl";
  consortium.federation().KillClient("b");
  std::string text = ReadFile(log).value();
  text.replace(text.find("ethics vote 12/26"), 17, "ethics vote 11/26");
  ASSERT_TRUE(WriteFileAtomic(log, text).ok());
  const ProgramResult tampered = Verify(consortium);
  EXPECT_EQ(tampered.exit_code, 1);
  EXPECT_THAT(tampered.output, HasSubstr("the entry was changed"));
  // Somebody cuts it before the last round: a good log by itself, and the coordinator's knows better.
  text.replace(text.find("ethics vote 11/26"), 17, "ethics vote 12/26");
  text.resize(text.find('\n', text.find("\"release\"")) + 1);
  ASSERT_TRUE(WriteFileAtomic(log, text).ok());
  const ProgramResult cut = Verify(consortium);
  EXPECT_EQ(cut.exit_code, 1);
  EXPECT_THAT(cut.output, HasSubstr("entries are missing, or there are two versions of it"));
}

TEST(SitePolicy, ASiteWithoutAPolicyTakesPartInNothingAndSaysHowToMendIt) {
  Consortium consortium({});
  fs::remove(consortium.federation().kit("c") / "policy.yaml");
  consortium.Start();
  consortium.Submit("heart", {.rounds = 1});
  consortium.AwaitState("heart", {"failed"});
  EXPECT_THAT(AwaitWhy(consortium, "heart", "[no_policy]"), HasSubstr("consilium site policy --init"));
}

}  // namespace
}  // namespace consilium::testing
