// SIGKILL of a real coordinator and a real client at chosen syncs and sends of a job of three sites and three rounds
// over mutual TLS: the final weights are those of the undisturbed job.  A sample, drawn evenly over the job; all points
// of it are walked through in simulation (tests/sim).
//
//   CRASH_MATRIX_SAMPLES=N    points for each party and kind of call; 4 by default
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <thread>

#include "comm/tensor/safetensors.h"
#include "tests/testing/local_federation.h"
#include "tests/testing/run_program.h"

namespace consilium {
namespace {

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(60);
constexpr const char* kSites[] = {"a", "b", "c"};

long SamplesPerKind() {
  const char* text = std::getenv("CRASH_MATRIX_SAMPLES");
  return text == nullptr ? 4 : std::max(1L, std::strtol(text, nullptr, 10));
}

class Trial {
 public:
  Trial() {
    const std::string_view yaml =
        "name: trial\ndata: {dataset: Dataset001_Toy}\nmodel: {patch_size: [8, 8, 8]}\n"
        "federation:\n  rounds: 3\n  mode: wait\n  sites: {min: 3}\n  round_deadline: 60s\n";
    EXPECT_TRUE(WriteFileAtomic(scratch_ / "job.yaml", yaml).ok());
    const auto schema = std::make_shared<const tensor::Schema>(
        tensor::Schema::Create({{"layer.weight", tensor::DType::kF32, {30, 100}}}).value());
    EXPECT_TRUE(
        tensor::WriteParameters(scratch_ / "initial.safetensors", tensor::ParameterVector::Zeros(schema).value()).ok());
    for (const std::string site : kSites) {
      EXPECT_TRUE(MakeDirectories(Data(site)).ok());
      EXPECT_TRUE(WriteJson(Data(site) / "stub.json", {{"site", site}, {"delay_ms", 20}}).ok());
    }
    StatusOr<testing::LocalFederation> made =
        testing::LocalFederation::Create({.folder = scratch_ / "federation",
                                          .sites = {std::begin(kSites), std::end(kSites)},
                                          .job = scratch_ / "job.yaml",
                                          .initial_model = scratch_ / "initial.safetensors",
                                          .trainer = fs::path(CONSILIUM_BIN_DIR) / "stub-trainer"});
    EXPECT_TRUE(made.ok()) << made.status();
    federation_.emplace(*std::move(made));
  }

  void Preload(const std::string& party, std::map<std::string, std::string> environment) {
    environment["LD_PRELOAD"] = (fs::path(CONSILIUM_BIN_DIR) / "kill-point.so").string();
    federation_->SetEnvironment(party, std::move(environment));
  }

  // To the job's end, starting again whoever was killed.  The result; nothing when it did not end.
  Json Run() {
    StartCoordinator();
    for (const char* site : kSites) EXPECT_TRUE(federation_->StartClient(site, Data(site)).ok());
    const Instant deadline = SystemClock().Now() + kPatience;
    while (SystemClock().Now() < deadline) {
      const std::optional<ExitResult> hub = federation_->Poll(testing::kCoordinatorParty);
      if (hub && !hub->signalled) break;
      if (hub) StartCoordinator();
      for (const char* site : kSites)
        if (const std::optional<ExitResult> end = federation_->Poll(site); end && end->signalled) {
          ++kills_;
          federation_->SetEnvironment(site, {});
          EXPECT_TRUE(federation_->RestartClient(site).ok());
        }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    const StatusOr<Json> result = federation_->AwaitResult(std::chrono::seconds(1));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : Json();
  }

  int kills() const { return kills_; }
  fs::path Scratch(const std::string& name) const { return scratch_ / name; }

 private:
  fs::path Data(const std::string& site) const { return scratch_ / ("data-" + site); }

  // It may be killed before it listens.
  void StartCoordinator() {
    if (federation_->Poll(testing::kCoordinatorParty))
      ++kills_, federation_->SetEnvironment(testing::kCoordinatorParty, {});
    Status started = federation_->StartCoordinator();
    const std::optional<ExitResult> end = federation_->Poll(testing::kCoordinatorParty);
    if (!started.ok() && end && end->signalled) {
      ++kills_;
      federation_->SetEnvironment(testing::kCoordinatorParty, {});
      started = federation_->StartCoordinator();
    }
    ASSERT_TRUE(started.ok()) << started;
  }

  testing::ScratchFolder scratch_;
  std::optional<testing::LocalFederation> federation_;
  int kills_ = 0;
};

// Calls by name that a party makes in an undisturbed job, and the job's result.
struct Undisturbed {
  std::map<std::string, std::map<std::string, long>> calls;
  Json result;
};

const Undisturbed& TheUndisturbed() {
  static const Undisturbed undisturbed = [] {
    Undisturbed made;
    Trial trial;
    for (const std::string party : {testing::kCoordinatorParty, "b"})
      trial.Preload(party, {{"KILL_POINT_COUNTS", trial.Scratch(party + ".counts").string()}});
    made.result = trial.Run();
    for (const std::string party : {testing::kCoordinatorParty, "b"}) {
      std::ifstream counts(trial.Scratch(party + ".counts"));
      std::string name;
      for (long count = 0; counts >> name >> count;) made.calls[party][name] = count;
    }
    return made;
  }();
  return undisturbed;
}

struct Kind {
  const char* name;
  std::string party, call;
};

class CrashMatrix : public ::testing::TestWithParam<Kind> {};

TEST_P(CrashMatrix, AKillAtASampleOfItsSyncsOrSendsLeavesTheFinalWeightsAsTheyAre) {
  const Undisturbed& undisturbed = TheUndisturbed();
  ASSERT_TRUE(undisturbed.result.contains("parameters"));
  const long calls = undisturbed.calls.at(GetParam().party).at(GetParam().call);
  ASSERT_GT(calls, 5);
  const long samples = std::min(SamplesPerKind(), calls - 1);
  int killed = 0;
  for (long i = 0; i < samples; ++i) {
    // Evenly over the job; the last call may fall away with the order of events, so it is left out.
    const long at = 1 + (2 * i + 1) * (calls - 1) / (2 * samples);
    const std::string point = Concat(GetParam().call, ":", at, ":", i % 2 == 0 ? "before" : "after");
    Trial trial;
    trial.Preload(GetParam().party, {{"KILL_POINT", point}});
    const Json result = trial.Run();
    ASSERT_TRUE(result.contains("parameters")) << point;
    EXPECT_EQ(result["parameters"], undisturbed.result["parameters"]) << point;
    EXPECT_EQ(result["evaluations"], undisturbed.result["evaluations"]) << point;
    EXPECT_EQ(result["rounds_done"], 3) << point;
    killed += trial.kills();
  }
  std::cout << "[ matrix   ] " << samples << " of " << calls << " calls of " << GetParam().call << ", " << killed
            << " kills\n";
  EXPECT_GE(killed, (samples + 1) / 2) << "a sample without kills shows nothing";
}

INSTANTIATE_TEST_SUITE_P(Points, CrashMatrix,
                         ::testing::Values(Kind{"CoordinatorSyncs", testing::kCoordinatorParty, "sync"},
                                           Kind{"CoordinatorSends", testing::kCoordinatorParty, "sendmsg"},
                                           Kind{"ClientSyncs", "b", "sync"}, Kind{"ClientSends", "b", "sendmsg"}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace consilium
