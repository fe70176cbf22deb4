// A federation of real processes on loopback: provisioned, started, killed and watched by a test.
#pragma once

#include <map>
#include <optional>

#include "comm/base/json.h"
#include "comm/base/subprocess.h"

namespace consilium::testing {

inline constexpr char kCoordinatorParty[] = "consortium";

// Has the event the fields of the object `wanted`?
bool Matches(const Json& event, const Json& wanted);

// Strand-bound.  Destroyed: every process is stopped.
class LocalFederation {
 public:
  struct Options {
    std::filesystem::path folder;  // everything goes here
    std::vector<std::string> sites;
    std::filesystem::path job;  // the job file; empty: the coordinator serves what operators submit, until it is killed
    std::filesystem::path initial_model;  // empty: the job's sites plan it
    std::string address = "127.0.0.1";    // of the coordinator
    std::filesystem::path trainer;        // a stub; empty: the real consilium-trainer
    std::map<std::string, std::string> environment;
    Json operators = Json::array();                  // as in project.yaml
    std::vector<std::string> coordinator_arguments;  // beside the usual ones
    std::vector<std::string> client_arguments;       // added to every client's command line
    std::int64_t min_cohort = 1;                     // of the sites' policies; the product's sample says 3
    std::string approval = "automatic";
    std::string secure_aggregation = "optional";  // likewise
  };

  // Provisions the kits.
  static StatusOr<LocalFederation> Create(Options options);

  // Starts it on the port of its former life, if it had one, so that clients find it again.
  Status StartCoordinator();
  // In its place one that the test runs itself.
  void CoordinatorIsAt(int port) { port_ = port; }
  // `data` is read by the site's trainer; remembered for a restart.
  Status StartClient(const std::string& site, const std::filesystem::path& data);
  Status RestartClient(const std::string& site) { return StartClient(site, data_.at(site)); }
  // Added to the party's environment from its next start on.
  void SetEnvironment(const std::string& party, std::map<std::string, std::string> environment) {
    environments_[party] = std::move(environment);
  }
  // How the party's process ended; nothing while it runs, or when it was never started.
  std::optional<ExitResult> Poll(const std::string& party);
  void KillCoordinator();                    // SIGKILL
  void KillClient(const std::string& site);  // SIGKILL; its trainer dies with it

  // Waits until events.jsonl has an event for which `wanted` is true, counted from the beginning; DeadlineExceeded with
  // the last events otherwise.
  Status AwaitEvent(const std::function<bool(const Json&)>& wanted, Duration timeout);
  // The same, for an event whose fields are as in the object `wanted`: {{"event", "progress"}, {"site", "a"}}.
  Status AwaitEvent(const Json& wanted, Duration timeout);
  std::vector<Json> Events() const;
  // The coordinator's end; then the clients are stopped.
  StatusOr<ExitResult> AwaitEnd(Duration timeout);
  // The same, and the finished job's result.json.  Errors: another exit code than 0, with the logs of all.
  StatusOr<Json> AwaitResult(Duration timeout);
  // result.json of the finished job.
  StatusOr<Json> Result() const;

  std::filesystem::path state_folder() const { return options_.folder / "coordinator"; }
  std::filesystem::path client_folder(const std::string& site) const { return options_.folder / "clients" / site; }
  std::filesystem::path job_folder() const;
  std::filesystem::path job_folder(const std::string& job) const { return state_folder() / "jobs" / job; }
  std::filesystem::path log(const std::string& party) const { return options_.folder / (party + ".log"); }
  std::filesystem::path kit(const std::string& party) const { return options_.folder / "kits" / party; }
  int port() const { return port_; }
  pid_t pid(const std::string& party) const { return processes_.at(party).pid(); }  // it must run
  pid_t coordinator_pid() const { return processes_.at(kCoordinatorParty).pid(); }  // it must run
  // The logs of all, for a failed test's message.
  std::string Logs() const;

 private:
  explicit LocalFederation(Options options) : options_(std::move(options)) {}
  std::map<std::string, std::string> EnvironmentOf(const std::string& party) const;

  Options options_;
  std::string job_name_;
  int port_ = 0;
  std::map<std::string, std::filesystem::path> data_;
  std::map<std::string, std::map<std::string, std::string>> environments_;
  std::map<std::string, Subprocess> processes_;
};

}  // namespace consilium::testing
