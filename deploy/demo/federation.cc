#include "deploy/demo/federation.h"

#include <csignal>
#include <thread>

#include "comm/base/file.h"
#include "comm/base/json.h"

namespace consilium::demo {

namespace fs = std::filesystem;

namespace {

std::string TailOf(const fs::path& log) {
  const StatusOr<std::string> text = ReadFile(log);
  if (!text.ok() || text->empty()) return "(its log is empty)";
  return text->size() > 1500 ? "..." + text->substr(text->size() - 1500) : *text;
}

}  // namespace

Status Federation::Start(const std::string& name, std::vector<std::string> command, const fs::path& log) {
  ASSIGN_OR_RETURN(Subprocess process, Subprocess::Start({.arguments = command, .output = log}));
  members_.push_back({name, std::move(command), log, std::move(process)});
  return Status();
}

Status Federation::AwaitPort(const fs::path& state) {
  const Instant deadline = SystemClock().Now() + std::chrono::seconds(30);
  while (SystemClock().Now() < deadline) {
    RETURN_IF_ERROR(CheckAlive());
    const StatusOr<Json> endpoint = ReadJson(state / "endpoint.json");
    if (endpoint.ok() && endpoint->contains("port")) {
      port_ = (*endpoint)["port"].get<int>();
      return Status();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return DeadlineExceeded("the coordinator did not listen within 30 s; see ", members_.front().log.string());
}

StatusOr<Federation> Federation::Start(const Workspace& workspace) {
  Federation federation;
  ASSIGN_OR_RETURN(const fs::path program, FindProgram("consilium"));
  const fs::path state = workspace.coordinator_state();
  RETURN_IF_ERROR(
      federation.Start(kCoordinatorName,
                       {program.string(), "coordinator", "--kit", workspace.kit(kCoordinatorName).string(), "--state",
                        state.string(), "--job", workspace.job_file().string(), "--initial-model",
                        workspace.initial_model().string(), "--exit-when-done", "--listen", "127.0.0.1:0"},
                       workspace.log(kCoordinatorName)));
  RETURN_IF_ERROR(federation.AwaitPort(state));
  federation.members_.front().command.back() = Concat("127.0.0.1:", federation.port_);
  for (const std::string& site : workspace.sites)
    RETURN_IF_ERROR(federation.Start(site,
                                     {program.string(), "client", "--kit", workspace.kit(site).string(), "--data",
                                      workspace.data(site).string(), "--state", workspace.site_state(site).string(),
                                      "--coordinator", Concat("127.0.0.1:", federation.port_), "--exit-when-done"},
                                     workspace.log(site)));
  return federation;
}

StatusOr<Federation::Member*> Federation::Find(const std::string& name) {
  for (Member& member : members_)
    if (member.name == name) return &member;
  return NotFound("no process of the demo is called ", name);
}

StatusOr<ExitResult> Federation::Kill(Member* member) {
  ::kill(member->process.pid(), SIGKILL);  // the process alone: its children must notice by themselves
  return member->process.Wait(std::chrono::seconds(10));
}

Status Federation::KillAndRestart(const std::string& name) {
  ASSIGN_OR_RETURN(Member* const member, Find(name));
  ASSIGN_OR_RETURN(const ExitResult killed, Kill(member));
  if (killed.ok()) return Status();  // it had just ended by itself
  ASSIGN_OR_RETURN(member->process, Subprocess::Start({.arguments = member->command, .output = member->log}));
  return Status();
}

Status Federation::KillForGood(const std::string& name) {
  ASSIGN_OR_RETURN(Member* const member, Find(name));
  RETURN_IF_ERROR(Kill(member).status());
  std::erase_if(members_, [&](const Member& each) { return each.name == name; });
  return Status();
}

Status Federation::CheckAlive() {
  for (Member& member : members_)
    if (const auto result = member.process.Poll(); result && !result->ok())
      return Failed(member.name, " ended with ", result->ToString(), "; ", member.log.string(), " says:\n",
                    TailOf(member.log));
  return Status();
}

Status Federation::WaitForEnd(Duration timeout) {
  const Instant deadline = SystemClock().Now() + timeout;
  for (Member& member : members_) {
    const StatusOr<ExitResult> result =
        member.process.Wait(std::max(Duration(0), Duration(deadline - SystemClock().Now())));
    if (!result.ok()) return Annotate(result.status(), member.name);
    if (!result->ok())
      return Failed(member.name, " ended with ", result->ToString(), "; ", member.log.string(), " says:\n",
                    TailOf(member.log));
  }
  return Status();
}

}  // namespace consilium::demo
