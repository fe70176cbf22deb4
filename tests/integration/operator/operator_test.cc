// What operators type, against a real coordinator and real clients.
#include <gmock/gmock.h>

#include "comm/tensor/safetensors.h"
#include "comm/wire/blob.h"
#include "tests/integration/operator/consortium.h"

namespace consilium::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Text(const fs::path& path) {
  const StatusOr<std::string> text = ReadFile(path);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.ok() ? *text : "";
}

TEST(Operator, EachMayDoWhatItsCertificateSaysAndNoMore) {
  Consortium consortium({});
  consortium.Start();
  consortium.Submit("heart", {.sites = {"a", "b"}, .rounds = 1});
  const std::string job = consortium.WriteJob("other", {}).string(), model = consortium.model().string();
  // A viewer, a submitter and a site that overreach: exit code 7, and the role that is lacking.
  const ProgramResult viewer = consortium.Run("board", {"submit", job, "--initial-model", model});
  EXPECT_EQ(viewer.exit_code, 7);
  EXPECT_THAT(viewer.output, AllOf(HasSubstr("needs the role 'submit'"), HasSubstr("'board' has: view")));
  EXPECT_EQ(consortium.Run("board", {"abort", "heart"}).exit_code, 7);
  EXPECT_EQ(consortium.Run("eve", {"list"}).exit_code, 7);
  EXPECT_EQ(consortium.Run("a", {"submit", job, "--initial-model", model}).exit_code, 7);
  EXPECT_EQ(consortium.Run("a", {"log", "heart"}).exit_code, 7);
  EXPECT_EQ(consortium.Run("a", {"download", "heart", "-o", consortium.scratch("stolen").string()}).exit_code, 7);
  // The coordinator's own kit is no operator's, and nobody at all is told how to be one.
  EXPECT_EQ(consortium.Run(kCoordinatorParty, {"list"}).exit_code, 2);
  // What they may.
  EXPECT_EQ(consortium.Ask("board", {"list"})["jobs"].size(), 1u);
  EXPECT_EQ(consortium.Ask("eve", {"submit", job, "--initial-model", model}).value("accepted", ""), "now");
  // A site sees its own jobs, and of other sites no metrics.
  EXPECT_EQ(consortium.Ask("c", {"list"})["jobs"].size(), 1u);
  EXPECT_EQ(consortium.Ask("a", {"list"})["jobs"].size(), 2u);
  EXPECT_EQ(consortium.Run("c", {"status", "heart"}).exit_code, 2);
  consortium.AwaitDigest("heart");
  for (const Json& row : consortium.Ask("a", {"status", "heart"})["sites"])
    EXPECT_EQ(row.contains("metrics"), row["site"] == "a") << row;
}

TEST(Operator, ASubmissionIsIdempotentAndEverythingWrongIsRefusedBeforeItIsPromised) {
  Consortium consortium({});
  consortium.Start({});
  consortium.Submit("heart", {});
  const std::string job = consortium.scratch("heart.yaml").string(), model = consortium.model().string();
  EXPECT_EQ(consortium.Ask("ann", {"submit", job, "--initial-model", model}).value("accepted", ""), "before");
  const ProgramResult other =
      consortium.Run("ann", {"submit", job, "--initial-model", model, "--set", "federation.rounds=5"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.output, HasSubstr("federation.rounds is 3 there and 5 here"));
  const std::string stranger = consortium.WriteJob("strange", {.sites = {"a", "cc"}}).string();
  const ProgramResult unknown = consortium.Run("ann", {"submit", stranger, "--initial-model", model});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.output, HasSubstr("'cc', which has no kit in this project; did you mean 'c'"));
  ASSERT_TRUE(WriteFileAtomic(consortium.scratch("broken"), std::string_view("no model")).ok());
  const std::string fresh = consortium.WriteJob("fresh", {}).string();
  const ProgramResult broken =
      consortium.Run("ann", {"submit", fresh, "--initial-model", consortium.scratch("broken").string()});
  EXPECT_EQ(broken.exit_code, 2) << broken.output;
  EXPECT_THAT(broken.output, HasSubstr("the initial model cannot be used"));
  // A name that is nearly one.
  const ProgramResult typo = consortium.Run("ann", {"status", "haert"});
  EXPECT_EQ(typo.exit_code, 2);
  EXPECT_THAT(typo.output, HasSubstr("did you mean 'heart'"));
  EXPECT_EQ(consortium.Ask("ann", {"list"})["jobs"].size(), 1u) << "nothing is left of what was refused";
}

TEST(Operator, AJobThatDoesNotFitIsRefusedWithTheNumbers) {
  Consortium consortium({.coordinator_arguments = {"--quota", "8M"}});  // a job: 6 x 1.2 MB
  consortium.Start({});
  consortium.Submit("heart", {});
  const ProgramResult refused = consortium.Run(
      "ann", {"submit", consortium.WriteJob("second", {}).string(), "--initial-model", consortium.model().string()});
  EXPECT_EQ(refused.exit_code, 6);
  EXPECT_THAT(refused.output, AllOf(HasSubstr("3 sites + 3, of 1.2 MB each"), HasSubstr("the quota is 8.0 MB")));
}

// privacy.sites: what a job may ask for depends on its model, which only arrives with the submission.
TEST(Operator, AJobThatWouldDrownInItsNoiseIsRefusedAtSubmitAndItsOwnAdviceMendsIt) {
  Consortium consortium({});
  consortium.Start({});
  const auto submit = [&](const std::string& name, const fs::path& model, const std::vector<std::string>& settings) {
    std::vector<std::string> arguments = {"submit", consortium.WriteJob(name, {.mode = "secure"}).string(),
                                          "--initial-model", model.string()};
    for (const std::string set : {"federation.sites.min=3", "federation.secure_aggregation.enabled=true",
                                  "federation.secure_aggregation.min_cohort=3", "privacy.sites.epsilon=8"})
      arguments.insert(arguments.end(), {"--set", set});
    for (const std::string& set : settings) arguments.insert(arguments.end(), {"--set", set});
    return consortium.Run("ann", arguments);
  };
  const auto has_blob = [&](const fs::path& model) {
    return fs::exists(consortium.federation().state_folder() / "blobs" /
                      wire::ManifestOfFile(model).value().digest.ToHex());
  };
  const auto expect_drowned = [&](const std::string& name, const fs::path& model, const std::string& parameters) {
    const ProgramResult refused = submit(name, model, {});
    EXPECT_EQ(refused.exit_code, 2) << refused.output;
    EXPECT_THAT(refused.output, AllOf(HasSubstr("times as much noise as there can be signal"),
                                      HasSubstr(Concat("(for epsilon 8) on ", parameters, " parameters, over 3 sites")),
                                      HasSubstr("privacy.records"), HasSubstr("federation.personal"),
                                      HasSubstr("privacy.sites.accept_noise: true")));
  };
  expect_drowned("noisy", consortium.model(), "300007");
  EXPECT_FALSE(has_blob(consortium.model())) << "a model that no job has is not kept";
  EXPECT_TRUE(consortium.Ask("ann", {"list"})["jobs"].empty());
  // Told by the same name: the refusal left nothing behind.  And now the model is there before it is judged.
  EXPECT_EQ(submit("noisy", consortium.model(), {"privacy.sites.accept_noise=true"}).exit_code, 0);
  expect_drowned("again", consortium.model(), "300007");
  EXPECT_TRUE(has_blob(consortium.model())) << "it is another job's";
  // What stays at the sites takes no noise.
  const fs::path two = consortium.scratch("two.safetensors");
  const auto schema = std::make_shared<const tensor::Schema>(
      tensor::Schema::Create({{"body", tensor::DType::kF32, {300'000}}, {"head", tensor::DType::kF32, {5}}}).value());
  ASSERT_TRUE(tensor::WriteParameters(two, tensor::ParameterVector::Zeros(schema).value()).ok());
  expect_drowned("whole", two, "300005");
  const ProgramResult head_alone = submit("head", two, {"federation.personal=[body]"});
  EXPECT_EQ(head_alone.exit_code, 0) << head_alone.output;
  EXPECT_EQ(consortium.Ask("ann", {"list"})["jobs"].size(), 2u);
}

TEST(Operator, WhyNamesWhoIsAwaitedAndWhatHappensThen) {
  Consortium consortium({.coordinator_arguments = {"--jobs-max", "1"}});
  consortium.Start({"a", "b"});
  consortium.Submit("heart", {});
  consortium.Submit("lung", {.sites = {"a"}});
  consortium.AwaitEvent("heart", "update_accepted", 2);
  const Json why = consortium.Ask("board", {"why", "heart"});
  ASSERT_EQ(why["awaited"].size(), 1u) << why;
  EXPECT_EQ(why["awaited"][0]["site"], "c");
  EXPECT_EQ(why["awaited"][0]["for"], "connection");
  EXPECT_THAT(why["answer"].get<std::string>(),
              AllOf(HasSubstr("It waits for c (not connected since the coordinator started)"),
                    HasSubstr("round 1 of 3"), HasSubstr("In mode wait every site is needed")));
  EXPECT_THAT(consortium.Ask("ann", {"why", "lung"})["answer"].get<std::string>(),
              AllOf(HasSubstr("number 1 of the queue"), HasSubstr("now heart")));
  // People read the same.
  EXPECT_THAT(consortium.Run("ann", {"why", "heart"}).output, HasSubstr("what to do: start consilium client"));
  EXPECT_THAT(consortium.Run("ann", {"list"}).output, AllOf(HasSubstr("heart  running"), HasSubstr("awaits c")));
  consortium.StartClient("c");
  consortium.AwaitDigest("heart");
  EXPECT_EQ(consortium.Ask("ann", {"why", "heart"})["answer"], "It is done.");
  consortium.AwaitDigest("lung");
}

TEST(Operator, AnAbortedJobEndsAtOnceAndTheNextOneGetsItsPlace) {
  Consortium consortium({.delay_ms = 300, .coordinator_arguments = {"--jobs-max", "1"}});
  consortium.Start();
  consortium.Submit("heart", {.rounds = 100});
  consortium.Submit("lung", {.rounds = 1});
  consortium.Submit("brain", {.rounds = 1});
  consortium.AwaitEvent("heart", "model_published");
  EXPECT_EQ(consortium.Ask("ann", {"abort", "brain"}).value("state", ""), "aborted") << "while it is queued";
  const Json aborted = consortium.Ask("ann", {"abort", "heart", "--reason", "wrong labels at b"});
  EXPECT_EQ(aborted.value("state", ""), "aborted") << aborted;
  EXPECT_EQ(aborted.value("message", ""), "aborted by ann: wrong labels at b");
  EXPECT_EQ(consortium.Run("ann", {"abort", "heart"}).exit_code, 1) << "over already";
  consortium.AwaitDigest("lung");
  EXPECT_THAT(consortium.Ask("ann", {"why", "heart"})["answer"].get<std::string>(),
              HasSubstr("It was aborted: aborted by ann: wrong labels at b"));
  // What it had learnt stays, and it stays aborted after a restart.
  consortium.federation().KillCoordinator();
  consortium.StartCoordinator();
  EXPECT_EQ(consortium.AwaitState("heart", {"aborted"}).value("state", ""), "aborted");
  const std::string out = consortium.scratch("out").string();
  EXPECT_EQ(consortium.Run("ann", {"download", "heart", "--latest", "-o", out}).exit_code, 0);
  EXPECT_TRUE(tensor::ReadParameters(fs::path(out) / "model_latest.safetensors").ok());
  const ProgramResult final_model = consortium.Run("ann", {"download", "heart", "-o", out});
  EXPECT_EQ(final_model.exit_code, 2);
  EXPECT_THAT(final_model.output, AllOf(HasSubstr("there is no model of it yet"), HasSubstr("model_latest")));
}

TEST(Operator, APausedJobEndsItsRoundAndOpensNoOtherUntilItIsResumedAlsoAfterARestart) {
  Consortium consortium({.behaviour = {{"c", {{"hold", {"train-0"}}}}}});
  consortium.Start();
  consortium.Submit("heart", {});
  consortium.AwaitEvent("heart", "round_opened");
  EXPECT_EQ(consortium.Run("board", {"pause", "heart"}).exit_code, 7);
  EXPECT_EQ(consortium.Ask("ann", {"pause", "heart"}).value("paused_by", ""), "ann");
  EXPECT_EQ(consortium.Ask("ann", {"pause", "heart"}).value("paused_by", ""), "ann") << "said again";
  EXPECT_THAT(consortium.Ask("board", {"why", "heart"})["answer"].get<std::string>(),
              AllOf(HasSubstr("It is paused by ann. What is open goes on."), HasSubstr("c (")));
  consortium.LetGo("c", "train-0");
  consortium.AwaitEvent("heart", "model_published");
  const auto expect_rests = [&] {
    const Json status = consortium.Ask("board", {"status", "heart"});
    EXPECT_EQ(status.value("phase", ""), "gathering") << status;
    EXPECT_EQ(status.value("paused_by", ""), "ann");
    const Json why = consortium.Ask("board", {"why", "heart"});
    EXPECT_THAT(why["answer"].get<std::string>(), HasSubstr("It is paused by ann."));
    EXPECT_THAT(why["mend"].get<std::string>(), HasSubstr("consilium resume heart"));
    EXPECT_THAT(consortium.Run("board", {"list"}).output, HasSubstr("paused by ann"));
    int opened = 0;
    for (const Json& event : consortium.Events("heart")) opened += event.value("event", "") == "round_opened" ? 1 : 0;
    EXPECT_EQ(opened, 1);
  };
  expect_rests();
  consortium.federation().KillCoordinator();
  consortium.StartCoordinator();
  consortium.AwaitEvent("heart", "recovered");
  expect_rests();
  EXPECT_EQ(consortium.Run("board", {"resume", "heart"}).exit_code, 7);
  EXPECT_EQ(consortium.Run("ann", {"resume", "heart"}).exit_code, 0);
  consortium.AwaitDigest("heart");
  EXPECT_EQ(consortium.Run("ann", {"pause", "heart"}).exit_code, 1) << "over already";
}

TEST(Operator, StatusShowsHowFastEachSitesLineIs) {
  Consortium consortium({.behaviour = {{"c", {{"hold", {"train-0"}}}}}});
  consortium.Start();
  consortium.Submit("heart", {.rounds = 1});
  consortium.AwaitEvent("heart", "update_accepted", 2);
  const std::uint64_t model = fs::file_size(consortium.model());
  for (const Json& row : consortium.Ask("board", {"status", "heart"})["sites"]) {
    EXPECT_GT(row["traffic"]["send_bytes_per_second"].get<double>(), 0) << row;
    EXPECT_EQ(row["traffic"]["bytes_sent"], model) << row;
    EXPECT_EQ(row["traffic"]["bytes_received"].get<std::uint64_t>() > 0, row["site"] != "c") << row;
  }
  EXPECT_THAT(consortium.Run("board", {"status", "heart"}).output,
              AllOf(HasSubstr("DOWN"), HasSubstr("UP"), HasSubstr("B/s")));
  consortium.LetGo("c", "train-0");
  consortium.AwaitDigest("heart");
}

TEST(Operator, ADownloadGoesOnWhereItStoppedAndIsTheModel) {
  Consortium consortium({.parameters = 2'000'003});  // 8 chunks
  consortium.Start();
  consortium.Submit("heart", {.rounds = 1});
  consortium.AwaitDigest("heart");
  const fs::path first = consortium.scratch("first"), second = consortium.scratch("second");
  const Json whole = consortium.Ask("board", {"download", "heart", "-o", first.string()});
  const std::string model = Text(first / "model_final.safetensors");
  EXPECT_EQ(model, Text(consortium.federation().job_folder("heart") / "model_final.safetensors"));
  EXPECT_EQ(Text(first / "metrics.jsonl"), Text(consortium.federation().job_folder("heart") / "metrics.jsonl"));
  EXPECT_TRUE(ReadJson(first / "result.json").ok());
  // A try that was cut after three chunks.
  constexpr std::size_t kChunk = 1 << 20;
  ASSERT_TRUE(MakeDirectories(second / ".partial").ok());
  const std::string part = wire::ManifestOf(AsBytes(model)).digest.ToHex() + ".part";
  ASSERT_TRUE(WriteFileAtomic(second / ".partial" / part, model.substr(0, 3 * kChunk)).ok());
  const Json rest = consortium.Ask("board", {"download", "heart", "--file", "model", "-o", second.string()});
  EXPECT_EQ(rest.value("bytes_received", 0u), model.size() - 3 * kChunk) << rest;
  EXPECT_EQ(Text(second / "model_final.safetensors"), model);
  EXPECT_FALSE(fs::exists(second / ".partial"));
}

TEST(Operator, AVerbWithoutAKitOrACoordinatorSaysWhatToMend) {
  Consortium consortium({});
  const ProgramResult no_kit = RunProgram({"consilium", "list"}, consortium.scratch("no-kit"));
  EXPECT_EQ(no_kit.exit_code, 2);
  EXPECT_THAT(no_kit.output, AllOf(HasSubstr("--kit DIR"), HasSubstr("CONSILIUM_KIT")));
  const ProgramResult nobody =
      RunProgram({"consilium", "list", "--coordinator", "127.0.0.1:1"}, consortium.scratch("nobody"),
                 {{"CONSILIUM_KIT", consortium.federation().kit("ann").string()}});
  EXPECT_EQ(nobody.exit_code, 1);
  EXPECT_THAT(nobody.output, HasSubstr("connection refused"));
  for (const char* verb : {"submit", "list", "status", "log", "why", "pause", "resume", "abort", "download"}) {
    const ProgramResult help =
        RunProgram({"consilium", verb, "--help"}, consortium.scratch(std::string("help-") + verb));
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.output, AllOf(HasSubstr("Example:"), HasSubstr(Concat("consilium ", verb)))) << verb;
  }
}

}  // namespace
}  // namespace consilium::testing
