#include "deploy/demo/federation.h"

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

StatusOr<Federation> Federation::Start(const Workspace& workspace) {
  Federation federation;
  ASSIGN_OR_RETURN(const fs::path program, FindProgram("consilium"));
  const auto start = [&](const std::string& name, std::vector<std::string> arguments) -> Status {
    arguments.insert(arguments.begin(), program.string());
    const fs::path log = workspace.log(name);
    ASSIGN_OR_RETURN(Subprocess process, Subprocess::Start({.arguments = std::move(arguments), .output = log}));
    federation.members_.push_back({name, std::move(process), log});
    return Status();
  };
  const fs::path state = workspace.coordinator_state();
  RETURN_IF_ERROR(
      start(kCoordinatorName, {"coordinator", "--kit", workspace.kit(kCoordinatorName).string(), "--state",
                               state.string(), "--job", workspace.job_file().string(), "--initial-model",
                               workspace.initial_model().string(), "--listen", "127.0.0.1:0", "--exit-when-done"}));
  const Instant deadline = SystemClock().Now() + std::chrono::seconds(30);
  while (federation.port_ == 0) {
    RETURN_IF_ERROR(federation.CheckAlive());
    if (const StatusOr<Json> endpoint = ReadJson(state / "endpoint.json"); endpoint.ok() && endpoint->contains("port"))
      federation.port_ = (*endpoint)["port"].get<int>();
    if (SystemClock().Now() > deadline)
      return DeadlineExceeded("the coordinator did not listen within 30 s; see ",
                              workspace.log(kCoordinatorName).string());
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  for (const std::string& site : workspace.sites)
    RETURN_IF_ERROR(start(site, {"client", "--kit", workspace.kit(site).string(), "--data",
                                 workspace.data(site).string(), "--state", workspace.site_state(site).string(),
                                 "--coordinator", Concat("127.0.0.1:", federation.port_), "--exit-when-done"}));
  return federation;
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
