// Real coordinator and client processes on loopback, with a stub for a trainer: killed with SIGKILL where it hurts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "comm/tensor/safetensors.h"
#include "comm/wire/strategy.h"
#include "tests/testing/local_federation.h"
#include "tests/testing/run_program.h"

namespace consilium {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr auto kPatience = std::chrono::seconds(60);

struct TrialOptions {
  std::string mode = "wait";
  int rounds = 3;
  int sites_min = 3;
  std::string deadline = "60s";
  int delay_ms = 100;
  std::string strategy = "{name: fedavg}";
  std::map<std::string, Json> behaviour;  // of a site's stub, beyond its name and delay
};

// A federation of three sites with stub trainers, ready to start.
class Trial {
 public:
  explicit Trial(const TrialOptions& options) {
    const std::string yaml =
        Concat("name: trial\ndata: {dataset: Dataset001_Toy}\nmodel: {patch_size: [8, 8, 8]}\n",
               "federation:\n  rounds: ", options.rounds, "\n  mode: ", options.mode,
               "\n  sites: {min: ", options.sites_min, "}\n  round_deadline: ", options.deadline, "\n");
    EXPECT_TRUE(WriteFileAtomic(job(), std::string_view(yaml)).ok());
    const auto schema = std::make_shared<const tensor::Schema>(
        tensor::Schema::Create(
            {{"layer.weight", tensor::DType::kF32, {300, 1000}}, {"layer.bias", tensor::DType::kF32, {7}}})
            .value());
    EXPECT_TRUE(tensor::WriteParameters(model(), tensor::ParameterVector::Zeros(schema).value()).ok());
    for (const std::string site : {"a", "b", "c"}) {
      Json stub = {{"site", site}, {"delay_ms", options.delay_ms}};
      if (options.behaviour.contains(site)) stub.update(options.behaviour.at(site));
      EXPECT_TRUE(MakeDirectories(data(site)).ok());
      EXPECT_TRUE(WriteJson(data(site) / "stub.json", stub).ok());
    }
    StatusOr<testing::LocalFederation> made =
        testing::LocalFederation::Create({.folder = scratch_ / "federation",
                                          .sites = {"a", "b", "c"},
                                          .job = job(),
                                          .initial_model = model(),
                                          .trainer = fs::path(CONSILIUM_BIN_DIR) / "stub-trainer"});
    EXPECT_TRUE(made.ok()) << made.status();
    federation_.emplace(*std::move(made));
  }

  void Start() {
    const Status coordinator = federation().StartCoordinator();
    ASSERT_TRUE(coordinator.ok()) << coordinator;
    for (const char* site : {"a", "b", "c"}) StartClient(site);
  }
  void StartClient(const std::string& site) { ASSERT_TRUE(federation().StartClient(site, data(site)).ok()); }

  // Lets a site's task, which its stub's `hold` names, go on.
  void LetGo(const std::string& site, const std::string& task) {
    ASSERT_TRUE(WriteFileAtomic(data(site) / ("go-" + task), std::string_view("go")).ok());
  }

  testing::LocalFederation& federation() { return *federation_; }
  fs::path job() const { return scratch_ / "job.yaml"; }
  fs::path model() const { return scratch_ / "initial.safetensors"; }
  fs::path data(const std::string& site) const { return scratch_ / ("data-" + site); }
  fs::path scratch(const std::string& name) const { return scratch_ / name; }

  // Waits for an event of that name whose fields are as given; returns at once where an event of `instead` is there.
  void Await(const std::string& event, const Json& fields = Json::object(), const Json& instead = Json()) {
    Json wanted = fields;
    wanted["event"] = event;
    const Status came = federation().AwaitEvent(
        [&](const Json& line) {
          return testing::Matches(line, wanted) || (!instead.is_null() && testing::Matches(line, instead));
        },
        kPatience);
    ASSERT_TRUE(came.ok()) << wanted << ": " << came;
  }

  // Events of that name about that site, so far.
  std::size_t Count(const std::string& event, const std::string& site) {
    std::size_t count = 0;
    for (const Json& line : federation().Events())
      count += line.value("event", "") == event && line.value("site", "") == site ? 1 : 0;
    return count;
  }

  // The finished job's result; the weights in the final file are those of the result.
  Json AwaitResult() {
    const StatusOr<Json> result = federation().AwaitResult(kPatience);
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok()) return {};
    const auto weights = tensor::ReadParameters(federation().job_folder() / "model_final.safetensors");
    EXPECT_TRUE(weights.ok()) << weights.status();
    if (!weights.ok()) return {};
    EXPECT_EQ((*result)["parameters"], weights->digest().ToHex());
    return *result;
  }

 private:
  testing::ScratchFolder scratch_;
  std::optional<testing::LocalFederation> federation_;
};

// What an undisturbed run gives; the same in both modes, because nobody is missing.
const Json& Undisturbed() {
  static const Json result = [] {
    Trial trial({.delay_ms = 20});
    trial.Start();
    return trial.AwaitResult();
  }();
  return result;
}

void ExpectUndisturbed(const Json& result) {
  ASSERT_FALSE(result.empty());
  EXPECT_EQ(result["parameters"], Undisturbed()["parameters"]);
  EXPECT_EQ(result["evaluations"], Undisturbed()["evaluations"]);
}

TEST(Federation, RunsToItsEndAndLeavesWhatItPromises) {
  const Json& result = Undisturbed();
  ASSERT_FALSE(result.empty());
  EXPECT_EQ(result["code"], "ok");
  EXPECT_EQ(result["rounds_done"], 3);
  EXPECT_EQ(result["evaluations"].size(), 3u);
  EXPECT_TRUE(result["not_evaluated"].empty());
}

// The strategies that ask nothing of a site but its trained weights.
TEST(Federation, StrategiesRunByNameFromTheJobFile) {
  for (const wire::StrategySpec& spec : wire::Strategies()) {
    const bool plain = spec.local == wire::LocalMethod::kPlain && spec.aux_up.empty() && spec.metric.empty();
    if (!plain || spec.name == "fedavg" || spec.name == "fedbuff") continue;
    SCOPED_TRACE(spec.name);
    const std::string numbers = spec.name == "bulyan" ? ", byzantine: 0" : "";  // of three sites
    Trial trial({.rounds = 2, .delay_ms = 10, .strategy = Concat("{name: ", spec.name, numbers, "}")});
    trial.Start();
    const Json result = trial.AwaitResult();
    ASSERT_FALSE(result.empty());
    EXPECT_EQ(result["code"], "ok");
    EXPECT_EQ(result["rounds_done"], 2);
  }
}

TEST(Federation, TheCoordinatorKilledInEachPhaseEndsInTheSameWeights) {
  for (const char* mode : {"wait", "close"}) {
    // Site c is held where the job would otherwise go on, or be over, before the kill.
    Trial trial(
        {.mode = mode, .delay_ms = 300, .behaviour = {{"c", {{"hold", {"train-0", "train-2", "evaluate-2"}}}}}});
    trial.Start();
    // A kill can fall between the journal's record and the event that tells of it: then `instead` is what is seen.
    const auto kill_at = [&](const std::string& event, const Json& fields, const Json& instead = Json()) {
      ASSERT_NO_FATAL_FAILURE(trial.Await(event, fields, instead));
      trial.federation().KillCoordinator();
      const Status restarted = trial.federation().StartCoordinator();
      ASSERT_TRUE(restarted.ok()) << restarted;
    };
    kill_at("round_opened", {{"round", 0}});     // collecting, nothing there
    kill_at("update_accepted", {{"round", 0}});  // collecting, one update there
    trial.LetGo("c", "train-0");
    kill_at("round_closed", {{"round", 1}});                                             // folding
    kill_at("model_published", {{"round", 1}}, {{"event", "recovered"}, {"round", 2}});  // gathering
    trial.LetGo("c", "train-2");
    kill_at("evaluation_opened", Json::object());  // evaluating
    kill_at("evaluation", Json::object());         // one evaluation there
    trial.LetGo("c", "evaluate-2");
    ExpectUndisturbed(trial.AwaitResult());
  }
}

TEST(Federation, InModeWaitAKilledClientComesBackAndTheWeightsAreTheSame) {
  Trial trial({.mode = "wait",
               .delay_ms = 50,
               .behaviour = {{"a", {{"hold", {"train-1", "evaluate-2"}}}}, {"b", {{"hold", {"train-0"}}}}}});
  trial.Start();
  trial.Await("progress", {{"site", "b"}, {"round", 0}, {"phase", "training"}});
  trial.federation().KillClient("b");  // while its trainer works
  trial.StartClient("b");
  trial.LetGo("b", "train-0");
  trial.Await("update_accepted", {{"site", "c"}, {"round", 1}});
  trial.federation().KillClient("c");  // its update is there
  trial.StartClient("c");
  trial.LetGo("a", "train-1");
  trial.Await("evaluation_opened");
  trial.federation().KillClient("a");
  trial.StartClient("a");
  trial.LetGo("a", "evaluate-2");
  ExpectUndisturbed(trial.AwaitResult());
}

TEST(Federation, InModeCloseARoundClosesWithoutAKilledClientWhichThenJoinsTheNext) {
  // c is held, so that the round that follows lasts until b is there again.
  Trial trial({.mode = "close",
               .sites_min = 2,
               .deadline = "6s",
               .delay_ms = 50,
               .behaviour = {{"b", {{"hold", {"train-0"}}}}, {"c", {{"hold", {"train-1"}}}}}});
  trial.Start();
  trial.Await("progress", {{"site", "b"}, {"round", 0}, {"phase", "training"}});
  trial.federation().KillClient("b");
  trial.Await("round_closed", {{"round", 0}, {"contributors", {"a", "c"}}, {"missing", {"b"}}});
  const std::size_t connected = trial.Count("site_connected", "b");
  trial.StartClient("b");
  const Status back = trial.federation().AwaitEvent(
      [&](const Json&) { return trial.Count("site_connected", "b") > connected; }, kPatience);
  ASSERT_TRUE(back.ok()) << back;
  trial.LetGo("c", "train-1");
  trial.Await("update_accepted", {{"site", "b"}});
  const Json result = trial.AwaitResult();
  EXPECT_EQ(result["rounds_done"], 3);
  EXPECT_EQ(result["evaluations"].size(), 3u) << result;
}

TEST(Federation, TooFewUpdatesAtTheDeadlineFailTheJobAndNameTheMissing) {
  Trial trial(
      {.mode = "close",
       .sites_min = 2,
       .deadline = "5s",
       .delay_ms = 200,
       .behaviour = {{"b", {{"hold", {"train-0"}}}}, {"c", {{"fail_rounds", {{"0", "the scanner's disk is gone"}}}}}}});
  trial.Start();
  trial.Await("progress", {{"site", "b"}, {"phase", "training"}});
  trial.federation().KillClient("b");
  const StatusOr<ExitResult> end = trial.federation().AwaitEnd(kPatience);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->exit_code, 4);
  const StatusOr<Json> result = trial.federation().Result();
  ASSERT_TRUE(result.ok());
  EXPECT_THAT((*result)["message"].get<std::string>(),
              HasSubstr("b (not connected), c (failed: the scanner's disk is gone)"));
}

TEST(Federation, ATrainerThatDiesIsStartedAgainAndItsLastWordsReachTheCoordinator) {
  Trial trial({.mode = "wait", .rounds = 2, .delay_ms = 20, .behaviour = {{"b", {{"die_rounds", {1}}}}}});
  trial.Start();
  // Three deaths under attempt 0, then attempt 1 goes well.
  const Status told = trial.federation().AwaitEvent(
      [](const Json& event) {
        return event.value("event", "") == "site_failed" && event.value("site", "") == "b" &&
               event.value("message", "").find("killed by signal 6") != std::string::npos &&
               event.value("message", "").find("stub trainer: dying in round 1") != std::string::npos;
      },
      kPatience);
  EXPECT_TRUE(told.ok()) << told;
  EXPECT_EQ(trial.AwaitResult()["rounds_done"], 2);
}

TEST(Federation, ASecondCoordinatorOnTheSameStateIsRefusedAndTheFirstGoesOn) {
  Trial trial({.rounds = 1});
  ASSERT_TRUE(trial.federation().StartCoordinator().ok());
  const fs::path state = trial.federation().job_folder().parent_path().parent_path();
  const testing::ProgramResult second = testing::RunProgram(
      {"consilium", "coordinator", "--kit", trial.federation().kit(testing::kCoordinatorParty).string(), "--state",
       state.string(), "--listen", "127.0.0.1:0"},
      trial.scratch("second.txt"));
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.output, HasSubstr("is in use by process"));
  for (const char* site : {"a", "b", "c"}) trial.StartClient(site);
  EXPECT_EQ(trial.AwaitResult()["rounds_done"], 1);
}

TEST(Federation, OtherSettingsUnderTheSameNameAreRefusedWithTheDifference) {
  Trial trial({.rounds = 3});
  ASSERT_TRUE(trial.federation().StartCoordinator().ok());
  trial.federation().KillCoordinator();
  std::string yaml = ReadFile(trial.job()).value();
  yaml.replace(yaml.find("rounds: 3"), 9, "rounds: 5");
  ASSERT_TRUE(WriteFileAtomic(trial.scratch("other.yaml"), yaml).ok());
  const fs::path state = trial.federation().job_folder().parent_path().parent_path();
  const testing::ProgramResult refused = testing::RunProgram(
      {"consilium", "coordinator", "--kit", trial.federation().kit(testing::kCoordinatorParty).string(), "--state",
       state.string(), "--listen", "127.0.0.1:0", "--job", trial.scratch("other.yaml").string()},
      trial.scratch("refused.txt"));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.output, HasSubstr("federation.rounds is 3 there and 5 here"));
}

TEST(Federation, AStoppedCoordinatorSaysThatTheJobCanGoOnAndItDoesWithoutItsJobFile) {
  Trial trial({.delay_ms = 20, .behaviour = {{"a", {{"hold", {"train-1", "train-2"}}}}}});
  trial.Start();
  trial.Await("model_published", {{"round", 0}});
  trial.federation().KillCoordinator();
  const fs::path state = trial.federation().job_folder().parent_path().parent_path();
  // Without --exit-when-done it stays after the job's end, until it is told to go.
  StatusOr<Subprocess> coordinator =
      Subprocess::Start({.arguments = {(fs::path(CONSILIUM_BIN_DIR) / "consilium").string(), "coordinator", "--kit",
                                       trial.federation().kit(testing::kCoordinatorParty).string(), "--state",
                                       state.string(), "--listen", Concat("127.0.0.1:", trial.federation().port())},
                         .output = trial.scratch("again.txt")});
  ASSERT_TRUE(coordinator.ok()) << coordinator.status();
  trial.LetGo("a", "train-1");
  trial.Await("model_published", {{"round", 1}});
  coordinator->Signal(SIGTERM);
  const StatusOr<ExitResult> stopped = coordinator->Wait(kPatience);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->exit_code, 143);
  EXPECT_THAT(ReadFile(trial.scratch("again.txt")).value(),
              HasSubstr("the jobs go on when the coordinator is started again"));
  ASSERT_TRUE(trial.federation().StartCoordinator().ok());
  trial.LetGo("a", "train-2");
  ExpectUndisturbed(trial.AwaitResult());
}

// Starts a program whose files may not grow beyond `kib`: a disk that is full.
StatusOr<Subprocess> StartOnFullDisk(int kib, const std::vector<std::string>& words, const fs::path& log) {
  std::vector<std::string> arguments = {"/bin/bash", "-c", Concat("ulimit -f ", kib, "; exec \"$@\""), "bash",
                                        (fs::path(CONSILIUM_BIN_DIR) / "consilium").string()};
  arguments.insert(arguments.end(), words.begin(), words.end());
  return Subprocess::Start({.arguments = arguments, .output = log});
}

TEST(Federation, AFullDiskEndsTheCoordinatorWithExitCode6BeforeAnythingIsPromised) {
  Trial trial({.rounds = 1});
  const fs::path state = trial.federation().job_folder().parent_path().parent_path();
  StatusOr<Subprocess> cramped = StartOnFullDisk(
      4,
      {"coordinator", "--kit", trial.federation().kit(testing::kCoordinatorParty).string(), "--state", state.string(),
       "--listen", "127.0.0.1:0", "--job", trial.job().string(), "--initial-model", trial.model().string()},
      trial.scratch("cramped.txt"));
  ASSERT_TRUE(cramped.ok()) << cramped.status();
  const StatusOr<ExitResult> end = cramped->Wait(kPatience);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->exit_code, 6) << ReadFile(trial.scratch("cramped.txt")).value();
  trial.Start();
  EXPECT_EQ(trial.AwaitResult()["rounds_done"], 1);
}

TEST(Federation, ADiskTooFullForUpdatesDelaysTheJobAndDoesNotSpoilIt) {
  Trial trial({.delay_ms = 20, .behaviour = {{"a", {{"hold", {"train-0"}}}}}});
  trial.Start();
  trial.Await("round_opened", {{"round", 0}});
  trial.federation().KillCoordinator();
  const fs::path state = trial.federation().job_folder().parent_path().parent_path();
  // Enough for the journal, not for an update of 1.2 MB.
  StatusOr<Subprocess> cramped =
      StartOnFullDisk(900,
                      {"coordinator", "--kit", trial.federation().kit(testing::kCoordinatorParty).string(), "--state",
                       state.string(), "--listen", Concat("127.0.0.1:", trial.federation().port())},
                      trial.scratch("cramped.txt"));
  ASSERT_TRUE(cramped.ok()) << cramped.status();
  const Instant deadline = SystemClock().Now() + kPatience;
  std::string log;
  while (log.find("File too large") == std::string::npos && SystemClock().Now() < deadline) {
    EXPECT_FALSE(cramped->Wait(std::chrono::milliseconds(50)).ok()) << "it stays up";
    log = ReadFile(trial.scratch("cramped.txt")).value();
  }
  EXPECT_THAT(log, HasSubstr("File too large"));
  EXPECT_EQ(cramped->Stop(kPatience).exit_code, 143);
  ASSERT_TRUE(trial.federation().StartCoordinator().ok());
  trial.LetGo("a", "train-0");
  ExpectUndisturbed(trial.AwaitResult());
}

TEST(Federation, AFullDiskEndsTheClientWithExitCode6AndItsTaskIsDoneWithMoreSpace) {
  Trial trial({.delay_ms = 20});
  ASSERT_TRUE(trial.federation().StartCoordinator().ok());
  trial.StartClient("a");
  trial.StartClient("b");
  const fs::path state = trial.federation().job_folder().parent_path().parent_path().parent_path() / "clients" / "c";
  StatusOr<Subprocess> cramped =
      StartOnFullDisk(900,
                      {"client", "--kit", trial.federation().kit("c").string(), "--data", trial.data("c").string(),
                       "--state", state.string(), "--coordinator", Concat("127.0.0.1:", trial.federation().port()),
                       "--trainer", (fs::path(CONSILIUM_BIN_DIR) / "stub-trainer").string()},
                      trial.scratch("cramped.txt"));
  ASSERT_TRUE(cramped.ok()) << cramped.status();
  const StatusOr<ExitResult> end = cramped->Wait(kPatience);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->exit_code, 6) << ReadFile(trial.scratch("cramped.txt")).value();
  trial.StartClient("c");
  ExpectUndisturbed(trial.AwaitResult());
}

TEST(Federation, ASiteWhoseDiskIsFullWhileItTrainsIsAwaitedAndSaysSo) {
  Trial trial({.delay_ms = 20});
  ASSERT_TRUE(WriteFileAtomic(trial.data("b") / "disk-full", std::string_view()).ok());
  trial.Start();
  const Status told = trial.federation().AwaitEvent(
      [](const Json& event) {
        return event.value("event", "") == "site_held_up" && event.value("site", "") == "b" &&
               event.value("message", "").find("its disk is full") != std::string::npos;
      },
      kPatience);
  ASSERT_TRUE(told.ok()) << told;
  fs::remove(trial.data("b") / "disk-full");
  ExpectUndisturbed(trial.AwaitResult());
}

TEST(Federation, ASiteOfAnotherProjectIsRefusedAndEndsWithExitCode7) {
  Trial trial({.rounds = 1}), stranger({.rounds = 1});
  ASSERT_TRUE(trial.federation().StartCoordinator().ok());
  const testing::ProgramResult refused = testing::RunProgram(
      {"consilium", "client", "--kit", stranger.federation().kit("a").string(), "--data", stranger.data("a").string(),
       "--state", stranger.scratch("state").string(), "--coordinator", Concat("127.0.0.1:", trial.federation().port()),
       "--trainer", (fs::path(CONSILIUM_BIN_DIR) / "stub-trainer").string()},
      stranger.scratch("refused.txt"));
  EXPECT_EQ(refused.exit_code, 7) << refused.output;
  for (const char* site : {"a", "b", "c"}) trial.StartClient(site);
  EXPECT_EQ(trial.AwaitResult()["rounds_done"], 1);
}

}  // namespace
}  // namespace consilium
