// Hospitals behind 10 Mbit/s, 300 ms round trip and 5 % loss: real programs, mutual TLS, real packets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <thread>

#include "comm/tensor/safetensors.h"
#include "comm/wire/blob.h"
#include "comm/wire/deadline_policy.h"
#include "tests/integration/network/slow_link.h"
#include "tests/testing/local_federation.h"
#include "tests/testing/run_program.h"

namespace consilium::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

// A kernel with nothing but CUBIC takes minutes for what BBR does in seconds.
constexpr auto kPatience = std::chrono::seconds(360);
constexpr char kDeadline[] = "120s";

struct TrialOptions {
  std::vector<std::string> sites = {"a"};
  std::size_t parameters = 350'000;  // 1.4 MB
  LinkOptions line = {};
};

// A federation whose coordinator is at one end of a slow line and whose sites are at the other.
class Trial {
 public:
  Trial(const TrialOptions& options, SlowNetwork network) : network_(std::move(network)) {
    std::cout << "[ line     ] " << ToString(options.line) << " (" << network_.link->description() << ")\n";
    const std::string yaml = Concat("name: trial\ndata: {dataset: Dataset001_Toy}\nmodel: {patch_size: [8, 8, 8]}\n",
                                    "federation:\n  rounds: 1\n  mode: wait\n  sites: {min: ", options.sites.size(),
                                    "}\n  round_deadline: ", kDeadline, "\n");
    EXPECT_TRUE(WriteFileAtomic(scratch_ / "job.yaml", yaml).ok());
    const auto count = static_cast<std::int64_t>(options.parameters);
    const auto schema = std::make_shared<const tensor::Schema>(
        tensor::Schema::Create({{"layer.weight", tensor::DType::kF32, {count}}}).value());
    const fs::path model = scratch_ / "initial.safetensors";
    EXPECT_TRUE(tensor::WriteParameters(model, tensor::ParameterVector::Zeros(schema).value()).ok());
    model_bytes_ = fs::file_size(model);
    for (const std::string& site : options.sites) {
      EXPECT_TRUE(MakeDirectories(Data(site)).ok());
      EXPECT_TRUE(WriteJson(Data(site) / "stub.json", {{"site", site}, {"delay_ms", 100}}).ok());
    }
    StatusOr<LocalFederation> made = LocalFederation::Create({.folder = scratch_ / "federation",
                                                              .sites = options.sites,
                                                              .job = scratch_ / "job.yaml",
                                                              .initial_model = model,
                                                              .address = kCoordinatorAddress,
                                                              .trainer = fs::path(CONSILIUM_BIN_DIR) / "stub-trainer"});
    EXPECT_TRUE(made.ok()) << made.status();
    federation_.emplace(*std::move(made));
  }

  void StartCoordinator() {
    const NetworkNamespace::Inside inside(*network_.coordinator);
    const Status started = federation_->StartCoordinator();
    ASSERT_TRUE(started.ok()) << started;
  }
  void StartClient(const std::string& site) {
    const NetworkNamespace::Inside inside(*network_.sites);
    const Status started = federation_->StartClient(site, Data(site));
    ASSERT_TRUE(started.ok()) << started;
  }

  void AwaitDone() {
    const Status end = federation_->AwaitResult(kPatience).status();
    ASSERT_TRUE(end.ok()) << end;
    AwaitStatus([](const Json&) { return true; });
  }
  void AwaitStatus(const std::function<bool(const Json&)>& wanted) {
    const Instant deadline = SystemClock().Now() + kPatience;
    for (;; std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
      ASSERT_LT(SystemClock().Now(), deadline) << status_ << federation_->Logs();
      const StatusOr<Json> status = ReadJson(federation_->job_folder() / "status.json");
      if (status.ok() && wanted(status_ = *status)) return;
    }
  }
  // Of the status that was awaited.
  Json SiteRow(const std::string& site) const {
    for (const Json& row : status_["sites"])
      if (row["site"] == site) return row;
    ADD_FAILURE() << "no row of " << site << ": " << status_;
    return Json::object();
  }

  std::string Log(const std::string& party) const {
    const StatusOr<std::string> text = ReadFile(federation_->log(party));
    return text.ok() ? *text : "";
  }
  // What the site's log says was moved by transfers that ended so: "fetched", "uploaded", ..._interrupted.
  std::uint64_t Moved(const std::string& site, const std::string& event, const std::string& task = "") const {
    std::uint64_t bytes = 0;
    std::istringstream log(Log(site));
    for (std::string line; std::getline(log, line);) {
      const std::size_t at = line.find(" bytes_moved=");
      if (line.ends_with(" event=" + event) && (task.empty() || line.find(" task=" + task + " ") != line.npos) &&
          at != line.npos)
        bytes += std::stoull(line.substr(at + 13));
    }
    return bytes;
  }
  void AwaitLog(const std::string& party, const std::string& words) const {
    const Instant deadline = SystemClock().Now() + kPatience;
    while (Log(party).find(words) == std::string::npos) {
      ASSERT_LT(SystemClock().Now(), deadline) << words << "\n" << federation_->Logs();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  // Waits until a blob in that folder has one whole chunk, and is not whole yet; how many bytes it has.
  std::uint64_t AwaitPart(const fs::path& folder) const {
    const Instant deadline = SystemClock().Now() + kPatience;
    for (; SystemClock().Now() < deadline; std::this_thread::sleep_for(std::chrono::milliseconds(5))) {
      std::error_code error;
      for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        std::error_code gone;
        const std::uint64_t size = entry->path().extension() == ".part" ? fs::file_size(entry->path(), gone) : 0;
        if (!gone && size >= wire::kChunkBytes) return size;
      }
    }
    ADD_FAILURE() << "no blob came into " << folder << "\n" << federation_->Logs();
    return 0;
  }

  LocalFederation& federation() { return *federation_; }
  SlowLink& link() { return *network_.link; }
  std::uint64_t model_bytes() const { return model_bytes_; }

 private:
  fs::path Data(const std::string& site) const { return scratch_ / ("data-" + site); }

  ScratchFolder scratch_;
  SlowNetwork network_;  // outlives the processes at its ends
  std::optional<LocalFederation> federation_;
  std::uint64_t model_bytes_ = 0;
  Json status_;
};

// SLOW_LINK_CONGESTION=reno shows what a machine with TCP's older congestion control makes of the line: minutes.
StatusOr<SlowNetwork> TheNetwork(TrialOptions* options) {
  if (const char* congestion = std::getenv("SLOW_LINK_CONGESTION")) options->line.congestion = congestion;
  return MakeSlowNetwork(options->line);
}

#define SKIP_WITHOUT(network) \
  if (!network.ok()) GTEST_SKIP() << "no slow line can be made here: " << network.status().message()

TEST(SlowLink, AJobOfAModelOf1400KilobytesEndsAndHeartbeatsAreNotStarved) {
  TrialOptions options{.sites = {"a", "b"}};
  StatusOr<SlowNetwork> network = TheNetwork(&options);
  SKIP_WITHOUT(network);
  Trial trial(options, *std::move(network));
  const Instant begin = SystemClock().Now();
  trial.StartCoordinator();
  for (const std::string& site : options.sites) trial.StartClient(site);
  ASSERT_NO_FATAL_FAILURE(trial.AwaitDone());
  std::cout << "[ line     ] the job took " << FormatDuration(SystemClock().Now() - begin) << "\n";
  const Duration silence = wire::DeadlinePolicy(ParseDuration(kDeadline).value()).silence;
  for (const std::string& site : options.sites) {
    const Json row = trial.SiteRow(site);
    std::cout << "[ line     ] " << site << ": at most " << row["silent_seconds_max"]
              << " s from heartbeat to heartbeat (" << FormatDuration(silence) << " end a session); to it "
              << row["traffic"]["bytes_sent"] << " bytes at " << row["download_bytes_per_second"]
              << " a second, from it " << row["traffic"]["bytes_received"] << " at " << row["upload_bytes_per_second"]
              << "\n";
    EXPECT_LT(row["silent_seconds_max"].get<double>(), Seconds(silence));
    EXPECT_THAT(trial.Log(site), Not(HasSubstr("nothing was heard from the site")));
    // The model to train on and the one to evaluate; the update.
    EXPECT_EQ(trial.Moved(site, "fetched") + trial.Moved(site, "fetch_interrupted") + trial.Moved(site, "transfer_cut"),
              2 * trial.model_bytes());
    EXPECT_EQ(row["traffic"]["bytes_received"], trial.model_bytes());
  }
}

TEST(SlowLink, NoByteOfAFinishedChunkIsSentTwiceWhereverTheLineIsCutOrASiteKilled) {
  TrialOptions options;  // 2 chunks
  StatusOr<SlowNetwork> network = TheNetwork(&options);
  SKIP_WITHOUT(network);
  Trial trial(options, *std::move(network));
  trial.StartCoordinator();
  trial.StartClient("a");
  // The line is dead until both sides have seen it.
  const std::uint64_t fetched = trial.AwaitPart(trial.federation().client_folder("a") / "blobs");
  ASSERT_GE(fetched, wire::kChunkBytes);
  ASSERT_TRUE(trial.link().SetDown().ok());
  trial.AwaitLog("a", "event=connection_lost");
  ASSERT_TRUE(trial.link().SetUp().ok());
  // The client is killed while its update is on its way.
  const std::uint64_t received = trial.AwaitPart(trial.federation().state_folder() / "blobs");
  ASSERT_GE(received, wire::kChunkBytes);
  trial.federation().KillClient("a");
  trial.StartClient("a");
  trial.AwaitLog("a", "event=uploaded");
  ASSERT_NO_FATAL_FAILURE(trial.AwaitStatus([](const Json& status) { return status["round"] == 1; }));

  const std::uint64_t before = trial.Moved("a", "transfer_cut") + trial.Moved("a", "fetch_interrupted"),
                      after = trial.Moved("a", "fetched", "train");
  const std::uint64_t rest = trial.Moved("a", "uploaded", "train");
  const Json traffic = trial.SiteRow("a")["traffic"];
  std::cout << "[ line     ] of " << trial.model_bytes() << " bytes, fetched " << before << " before the cut and "
            << after << " after it; uploaded " << rest << " after the kill; received by the coordinator "
            << traffic["bytes_received"] << "\n";
  EXPECT_GE(before, wire::kChunkBytes);
  EXPECT_EQ(before + after, trial.model_bytes());
  EXPECT_LE(rest + received / wire::kChunkBytes * wire::kChunkBytes, trial.model_bytes());
  EXPECT_EQ(traffic["bytes_received"], trial.model_bytes()) << "each byte once";
}

}  // namespace
}  // namespace consilium::testing
