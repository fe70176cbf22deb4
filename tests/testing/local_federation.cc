#include "tests/testing/local_federation.h"

#include <csignal>
#include <fstream>
#include <thread>

#include "comm/base/file.h"
#include "comm/wire/apply_plan.h"
#include "tests/testing/run_program.h"
#include "tests/testing/slowness.h"

namespace consilium::testing {

namespace fs = std::filesystem;

namespace {

fs::path Program(const std::string& name) { return fs::path(CONSILIUM_BIN_DIR) / name; }

}  // namespace

StatusOr<LocalFederation> LocalFederation::Create(Options options) {
  LocalFederation federation(std::move(options));
  const Options& made = federation.options_;
  RETURN_IF_ERROR(MakeDirectories(made.folder));
  if (!made.job.empty()) {
    ASSIGN_OR_RETURN(const wire::JobSpec job, wire::ReadJobToSubmit(made.job));
    federation.job_name_ = job.name;
  }
  const Json project = {{"name", "test"},
                        {"coordinator", {{"name", kCoordinatorParty}, {"address", "localhost:8443"}}},
                        {"sites", made.sites},
                        {"operators", made.operators},
                        {"site_policy",
                         {{"min_cohort", made.min_cohort},
                          {"approval", made.approval},
                          {"secure_aggregation", made.secure_aggregation}}}};
  RETURN_IF_ERROR(WriteFileAtomic(made.folder / "project.yaml", JsonToYaml(project)));
  const ProgramResult provisioned = RunProgram(
      {"consilium", "provision", (made.folder / "project.yaml").string(), "--output", (made.folder / "kits").string()},
      federation.log("provision"));
  if (provisioned.exit_code != 0) return Failed("provision: ", provisioned.output);
  return federation;
}

fs::path LocalFederation::job_folder() const { return job_folder(job_name_); }

Status LocalFederation::StartCoordinator() {
  const fs::path state = state_folder();
  std::error_code ignored;
  fs::remove(state / "endpoint.json", ignored);
  std::vector<std::string> arguments = {Program("consilium").string(),
                                        "coordinator",
                                        "--kit",
                                        kit(kCoordinatorParty).string(),
                                        "--state",
                                        state.string(),
                                        "--listen",
                                        Concat(options_.address, ":", port_)};
  if (!options_.job.empty()) {
    arguments.insert(arguments.end(), {"--job", options_.job.string(), "--exit-when-done"});
    if (!options_.initial_model.empty())
      arguments.insert(arguments.end(), {"--initial-model", options_.initial_model.string()});
  }
  arguments.insert(arguments.end(), options_.coordinator_arguments.begin(), options_.coordinator_arguments.end());
  StatusOr<Subprocess> process = Subprocess::Start({.arguments = std::move(arguments),
                                                    .environment = EnvironmentOf(kCoordinatorParty),
                                                    .output = log(kCoordinatorParty)});
  if (!process.ok()) return process.status();
  processes_.insert_or_assign(kCoordinatorParty, *std::move(process));
  const Instant deadline = SystemClock().Now() + kSlowness * std::chrono::seconds(20);
  while (SystemClock().Now() < deadline) {
    if (const auto ended = processes_.at(kCoordinatorParty).Poll()) {
      // Started again after its job was over and everybody knew: nobody is waited for.
      if (!ended->signalled && ended->exit_code == 0) return Status();
      return Failed("the coordinator ended: ", ended->ToString(), "\n", Logs());
    }
    if (const StatusOr<Json> endpoint = ReadJson(state / "endpoint.json"); endpoint.ok()) {
      port_ = (*endpoint)["port"].get<int>();
      return Status();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return DeadlineExceeded("the coordinator did not listen\n", Logs());
}

Status LocalFederation::StartClient(const std::string& site, const fs::path& data) {
  data_[site] = data;
  std::vector<std::string> arguments = {Program("consilium").string(),
                                        "client",
                                        "--kit",
                                        kit(site).string(),
                                        "--data",
                                        data.string(),
                                        "--state",
                                        client_folder(site).string(),
                                        "--coordinator",
                                        Concat(options_.address, ":", port_)};
  if (!options_.job.empty()) arguments.push_back("--exit-when-done");
  if (!options_.trainer.empty()) arguments.insert(arguments.end(), {"--trainer", options_.trainer.string()});
  arguments.insert(arguments.end(), options_.client_arguments.begin(), options_.client_arguments.end());
  RETURN_IF_ERROR(MakeDirectories(options_.folder / "clients"));
  StatusOr<Subprocess> process =
      Subprocess::Start({.arguments = std::move(arguments), .environment = EnvironmentOf(site), .output = log(site)});
  if (!process.ok()) return process.status();
  processes_.insert_or_assign(site, *std::move(process));
  return Status();
}

std::map<std::string, std::string> LocalFederation::EnvironmentOf(const std::string& party) const {
  std::map<std::string, std::string> environment = options_.environment;
  if (const auto own = environments_.find(party); own != environments_.end())
    for (const auto& [name, value] : own->second) environment[name] = value;
  return environment;
}

std::optional<ExitResult> LocalFederation::Poll(const std::string& party) {
  const auto found = processes_.find(party);
  return found == processes_.end() ? std::nullopt : found->second.Poll();
}

void LocalFederation::KillCoordinator() { KillClient(kCoordinatorParty); }

void LocalFederation::KillClient(const std::string& site) {
  const auto found = processes_.find(site);
  if (found == processes_.end()) return;
  // The process alone, as a power cut of one program would: children must notice by themselves.
  ::kill(found->second.pid(), SIGKILL);
  (void)found->second.Wait(std::chrono::seconds(10));
  processes_.erase(found);
}

std::vector<Json> LocalFederation::Events() const {
  std::vector<Json> events;
  std::ifstream in(job_folder() / "events.jsonl");
  for (std::string line; std::getline(in, line) && !in.eof();)
    if (StatusOr<Json> event = ParseJson(line, "events.jsonl"); event.ok()) events.push_back(*std::move(event));
  return events;
}

bool Matches(const Json& event, const Json& wanted) {
  for (const auto& [key, value] : wanted.items())
    if (!event.contains(key) || event[key] != value) return false;
  return true;
}

Status LocalFederation::AwaitEvent(const Json& wanted, Duration timeout) {
  return Annotate(AwaitEvent([&](const Json& event) { return Matches(event, wanted); }, timeout), wanted.dump());
}

Status LocalFederation::AwaitEvent(const std::function<bool(const Json&)>& wanted, Duration timeout) {
  const Instant deadline = SystemClock().Now() + timeout * kSlowness;
  while (SystemClock().Now() < deadline) {
    for (const Json& event : Events())
      if (wanted(event)) return Status();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::string tail;
  const std::vector<Json> events = Events();
  for (std::size_t i = events.size() > 10 ? events.size() - 10 : 0; i < events.size(); ++i)
    tail += events[i].dump() + "\n";
  return DeadlineExceeded("the event did not come within ", FormatDuration(timeout), "; the last ones:\n", tail,
                          Logs());
}

StatusOr<ExitResult> LocalFederation::AwaitEnd(Duration timeout) {
  const auto found = processes_.find(kCoordinatorParty);
  if (found == processes_.end()) return FailedPrecondition("no coordinator runs");
  StatusOr<ExitResult> result = found->second.Wait(timeout * kSlowness);
  if (!result.ok()) return Annotate(result.status(), "the coordinator\n", Logs());
  for (auto& [name, process] : processes_) (void)process.Wait(kSlowness * std::chrono::seconds(10));
  processes_.clear();
  return result;
}

StatusOr<Json> LocalFederation::AwaitResult(Duration timeout) {
  ASSIGN_OR_RETURN(const ExitResult end, AwaitEnd(timeout));
  if (!end.ok()) return Failed("the coordinator ended: ", end.ToString(), "\n", Logs());
  return Result();
}

StatusOr<Json> LocalFederation::Result() const { return ReadJson(job_folder() / "result.json"); }

std::string LocalFederation::Logs() const {
  std::string text;
  std::error_code error;
  for (fs::directory_iterator entry(options_.folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() != ".log") continue;
    const StatusOr<std::string> log = ReadFile(entry->path());
    if (log.ok())
      text += "--- " + entry->path().filename().string() + "\n" +
              (log->size() > 3000 ? log->substr(log->size() - 3000) : *log);
  }
  return text;
}

}  // namespace consilium::testing
