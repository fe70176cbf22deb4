// A coordinator that serves operators, three sites with stub trainers, and the people who type.
#pragma once

#include <gtest/gtest.h>

#include "tests/testing/local_federation.h"
#include "tests/testing/run_program.h"

namespace consilium::testing {

inline constexpr auto kPatience = std::chrono::seconds(60);

class Consortium {
 public:
  struct Options {
    int delay_ms = 100;  // of a site's training
    std::size_t parameters = 300'007;
    std::vector<std::string> coordinator_arguments = {};
    std::int64_t min_cohort = 1;         // of the sites' policies
    std::string approval = "automatic";  // likewise
    std::map<std::string, Json> behaviour = {};  // of a site's stub, beyond its name and delay
  };
  struct JobOptions {
    std::vector<std::string> sites = {"a", "b", "c"};
    std::string mode = "wait";
    int rounds = 3;
    std::string deadline = "60s";
  };

  // Provisioned: sites a, b, c; operators ann (everything), board (view), eve (submit).  Nothing runs yet.
  explicit Consortium(const Options& options);

  void Start(const std::vector<std::string>& sites = {"a", "b", "c"});
  void StartCoordinator();
  void StartClient(const std::string& site);

  // Lets a site's task, which its stub's `hold` names, go on.
  void LetGo(const std::string& site, const std::string& task);

  // NAME.yaml in the scratch folder.
  std::filesystem::path WriteJob(const std::string& name, const JobOptions& options);
  // `consilium VERB arguments... --kit WHO's`; what it printed and how it ended.
  ProgramResult Run(const std::string& who, std::vector<std::string> arguments);
  // With --json, which must end well; the document on its standard output.
  Json Ask(const std::string& who, std::vector<std::string> arguments);
  // Writes the job and has ann submit it.
  void Submit(const std::string& name, const JobOptions& options);
  // Asks for the job's status until it is in one of these states.
  Json AwaitState(const std::string& job, const std::vector<std::string>& states);
  // Waits for an event of that name in the job's log.
  void AwaitEvent(const std::string& job, const std::string& event, int count = 1);
  std::vector<Json> Events(const std::string& job);
  // The digest of the job's final weights, from its result.
  std::string AwaitDigest(const std::string& job);

  LocalFederation& federation() { return *federation_; }
  std::filesystem::path scratch(const std::string& name) const { return scratch_ / name; }
  std::filesystem::path model() const { return scratch_ / "initial.safetensors"; }

 private:
  ScratchFolder scratch_;
  std::optional<LocalFederation> federation_;
  int runs_ = 0;
};

}  // namespace consilium::testing
