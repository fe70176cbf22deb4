// A small federation of the real programs.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <thread>

#include "comm/tensor/safetensors.h"
#include "tests/testing/local_federation.h"
#include "tests/testing/run_program.h"
#include "tests/testing/tiny_dataset.h"

namespace consilium {

inline constexpr auto kPatience = std::chrono::seconds(90);

// Processes of consilium-trainer that work for the client with this state folder.
inline std::vector<pid_t> TrainersOf(const std::filesystem::path& state) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream in(entry.path() / "cmdline", std::ios::binary);
    const std::string command(std::istreambuf_iterator<char>(in), {});
    // The program itself, not a launcher that has it among its arguments.
    const std::string program = command.substr(0, command.find('\0'));
    if (program.ends_with("consilium-trainer") && command.find(state.string() + "/") != std::string::npos)
      found.push_back(std::stoi(name));
  }
  return found;
}

// Until there are so many; those found in the end otherwise.
inline std::vector<pid_t> AwaitTrainers(const std::filesystem::path& state, std::size_t count) {
  const Instant deadline = SystemClock().Now() + std::chrono::seconds(30);
  std::vector<pid_t> found = TrainersOf(state);
  while (found.size() != count && SystemClock().Now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    found = TrainersOf(state);
  }
  return found;
}

struct RealTrialOptions {
  std::vector<std::string> sites = {"a", "b", "c"};
  int rounds = 3;
  int iterations = 12;
  std::string federation;                     // more keys, e.g. "personal: ['*.norm.*']"
  std::string more;                           // of the whole job
  std::vector<std::string> client_arguments;  // of every client
  std::map<std::string, std::string> environment;
};

// Mode wait.  Every site has its own cases.
class RealTrial {
 public:
  explicit RealTrial(const RealTrialOptions& options) : options_(options) {
    std::string names;
    std::uint64_t seed = 0;
    for (const std::string& site : options.sites) {
      names += (names.empty() ? "" : ", ") + site;
      EXPECT_TRUE(testing::WriteTinyDataset(data(site), {.cases = 5, .seed = ++seed}).ok());
    }
    const std::string job =
        Concat(testing::TinyJobYaml("trial", 1, options.iterations), "federation:\n  rounds: ", options.rounds,
               "\n  mode: wait\n  sites: {min: 1, names: [", names, "]}\n",
               options.federation.empty() ? "" : "  " + options.federation + "\n",
               options.more.empty() ? "" : options.more + "\n");
    EXPECT_TRUE(WriteFileAtomic(scratch_ / "job.yaml", std::string_view(job)).ok());
    const testing::ProgramResult init =
        testing::RunProgram({"consilium-trainer", "init", scratch_ / "job.yaml", "--data",
                             data(options.sites.front()).string(), "--output", scratch_ / "initial.safetensors"},
                            scratch_ / "init.log");
    EXPECT_EQ(init.exit_code, 0) << init.output;
    auto made = testing::LocalFederation::Create({.folder = scratch_ / "federation",
                                                  .sites = options.sites,
                                                  .job = scratch_ / "job.yaml",
                                                  .initial_model = scratch_ / "initial.safetensors",
                                                  .environment = options.environment,
                                                  .client_arguments = options.client_arguments});
    EXPECT_TRUE(made.ok()) << made.status();
    federation_.emplace(*std::move(made));
  }

  void Start() {
    const Status coordinator = federation().StartCoordinator();
    ASSERT_TRUE(coordinator.ok()) << coordinator;
    for (const std::string& site : options_.sites) ASSERT_TRUE(federation().StartClient(site, data(site)).ok());
  }

  void Await(const Json& wanted) {
    const Status came = federation().AwaitEvent(wanted, kPatience);
    ASSERT_TRUE(came.ok()) << came;
  }
  void AwaitTraining(const std::string& site, int round) {
    Await({{"event", "progress"}, {"site", site}, {"round", round}, {"phase", "training"}});
  }

  // The final weights; the job must have ended well.
  tensor::ParameterVector AwaitWeights() {
    const Status end = federation().AwaitResult(kPatience).status();
    EXPECT_TRUE(end.ok()) << end;
    auto weights = tensor::ReadParameters(federation().job_folder() / "model_final.safetensors");
    EXPECT_TRUE(weights.ok()) << weights.status();
    return weights.ok() ? *std::move(weights) : tensor::ParameterVector();
  }

  testing::LocalFederation& federation() { return *federation_; }
  std::filesystem::path data(const std::string& site) const { return scratch_ / ("data-" + site); }
  std::filesystem::path state(const std::string& site) const { return scratch_ / "federation/clients" / site; }

 private:
  const RealTrialOptions options_;
  testing::ScratchFolder scratch_;
  std::optional<testing::LocalFederation> federation_;
};

}  // namespace consilium
