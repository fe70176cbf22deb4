// A hospital that joins with keys of its own, and one whose laptop was stolen, by the commands that people type.
#include <gmock/gmock.h>

#include <thread>

#include "tests/integration/operator/consortium.h"

namespace consilium::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Enrolment : public ::testing::Test {
 protected:
  fs::path kits() { return consortium_.federation().kit("a").parent_path(); }
  std::string Kit(const std::string& party) { return consortium_.federation().kit(party).string(); }
  // Ends well, or the test does.
  Json Type(std::vector<std::string> words) {
    words.insert(words.begin(), "consilium");
    words.push_back("--json");
    const ProgramResult result = RunProgram(words, consortium_.scratch(Concat("typed-", typed_++)));
    EXPECT_EQ(result.exit_code, 0) << Json(words) << "\n" << result.output;
    const std::size_t begin = result.output.find('{'), end = result.output.rfind('}');
    if (begin == std::string::npos || end == std::string::npos) return Json::object();
    return ParseJson(result.output.substr(begin, end + 1 - begin), "stdout").value();
  }
  void HandOutRoster(const std::vector<std::string>& parties) {
    for (const std::string& party : parties)
      Type({"enroll", "--kit", Kit(party), "--roster", (kits() / "ca" / "roster.json").string()});
  }
  Consortium consortium_{{}};
  int typed_ = 0;
};

TEST_F(Enrolment, ASiteThatMadeItsOwnKeysTrainsWithTheOthers) {
  const std::string ca = (kits() / "ca").string(), invitation = consortium_.scratch("invitation.json").string(),
                    answer = consortium_.scratch("answer.json").string();
  Type({"provision", "invite", "d", "--ca", ca, "-o", invitation});
  const Json begun = Type({"enroll", invitation, "--kit", Kit("d")});
  Type({"provision", "sign", begun["request"], "--ca", ca, "--fingerprint", begun["fingerprint"], "-o", answer});
  Type({"enroll", "--kit", Kit("d"), "--install", answer});
  HandOutRoster({kCoordinatorParty, "a", "b"});
  // Its first policy asks a person about each job, and for three sites.
  Type({"site", "policy", "--init", "--kit", Kit("d")});
  Type({"site", "policy", "--sign", "--kit", Kit("d")});
  ASSERT_TRUE(MakeDirectories(consortium_.scratch("data-d")).ok());
  ASSERT_TRUE(WriteJson(consortium_.scratch("data-d") / "stub.json", {{"site", "d"}, {"delay_ms", 50}}).ok());
  consortium_.Start({"a", "b", "d"});
  consortium_.Submit("heart", {.sites = {"a", "b", "d"}, .rounds = 1});
  const std::string state = (kits().parent_path() / "clients" / "d").string();
  for (int tries = 0; tries < 300; ++tries) {
    const Json jobs = Type({"site", "jobs", "--kit", Kit("d"), "--state", state})["jobs"];
    if (!jobs.empty() && jobs[0]["code"] == "not_approved") break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  Type({"site", "approve", "heart", "--kit", Kit("d"), "--state", state});
  consortium_.AwaitDigest("heart");
}

TEST_F(Enrolment, ARevokedSiteIsShutOutByTheCoordinatorWithTheReason) {
  Type({"provision", "revoke", "b", "--ca", (kits() / "ca").string(), "--reason", "laptop stolen"});
  HandOutRoster({kCoordinatorParty});
  consortium_.Start({"a", "b"});
  std::optional<ExitResult> ended;
  for (int tries = 0; tries < 600 && !ended; ++tries) {
    ended = consortium_.federation().Poll("b");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  ASSERT_TRUE(ended) << consortium_.federation().Logs();
  EXPECT_EQ(ended->exit_code, 7);
  EXPECT_THAT(ReadFile(consortium_.federation().log("b")).value(), HasSubstr("was revoked: laptop stolen"));
  EXPECT_FALSE(consortium_.federation().Poll("a"));
}

}  // namespace
}  // namespace consilium::testing
