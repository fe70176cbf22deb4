#include "coordinator/service/coordinator_verb.h"

#include <malloc.h>

#include <charconv>
#include <map>

#include "comm/base/log.h"
#include "comm/base/time.h"
#include "comm/transport/host_port.h"
#include "coordinator/service/backup_verb.h"
#include "coordinator/service/coordinator_shell.h"
#include "privacy/pki/signer.h"

namespace consilium::coordinator {
namespace {

// "127.0.0.1:0", "[::]:8443", ":8443" (the kit's interface).
Status ParseListen(const std::string& text, CoordinatorOptions* options) {
  if (text.empty()) return Status();
  const std::optional<transport::HostPort> split = transport::SplitHostPort(text);
  if (!split || split->port > 65535)
    return InvalidArgument("--listen ", text,
                           " is not host:port; write for example 0.0.0.0:8443, or 127.0.0.1:0 for "
                           "a free port");
  options->listen_port = split->port;
  options->listen_address = split->host;
  return Status();
}

// "50G", "800M", "1.5T": powers of 1000, as disks are sold.
StatusOr<std::uint64_t> ParseBytes(const std::string& text) {
  if (text.empty()) return std::uint64_t{0};
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string unit(rest, text.data() + text.size());
  static const std::map<std::string, double> kUnits = {{"M", 1e6}, {"G", 1e9}, {"T", 1e12}};
  const auto scale = kUnits.find(unit);
  if (error != std::errc() || scale == kUnits.end() || !(value > 0) || value > 1e6)
    return InvalidArgument("--quota ", text, " is not an amount with a unit, such as 800M, 50G or 2T");
  return static_cast<std::uint64_t>(value * scale->second);
}

// Who takes part is what the roster says, since sites join and leave after the kit was made.  A kit of before rosters
// has its own list.
Status ApplyRoster(CoordinatorOptions* options) {
  const auto now = SystemClock().WallNow();
  const StatusOr<pki::Trust> trust = pki::LoadTrust(options->kit.folder, options->kit.self, now);
  if (trust.code() == StatusCode::kNotFound) {
    Log(LogLevel::kWarning, "no_roster", {{"reason", trust.status().message()}});
    return Status();
  }
  if (!trust.ok()) return trust.status();
  for (const std::string& warning : pki::ExpiryWarnings(*trust, now))
    Log(LogLevel::kWarning, "expires_soon", {{"what", warning}});
  options->kit.sites = trust->roster.sites();
  for (const pki::Revocation& revoked : trust->roster.contents().revoked)
    options->revoked[revoked.certificate] = revoked.reason;
  return Status();
}

}  // namespace

int CoordinatorVerb(const Arguments& arguments) {
  if (!arguments.empty() && arguments.front() == "backup") return BackupVerb({arguments.begin() + 1, arguments.end()});
  if (!arguments.empty() && arguments.front() == "restore")
    return RestoreVerb({arguments.begin() + 1, arguments.end()});
  std::string kit, state, job, initial_model, listen, quota;
  std::int64_t jobs_max = 4;
  bool exit_when_done = false;
  Command command(
      "consilium coordinator",
      "Leads a federation: takes the jobs that operators submit, gives rounds of work to the sites that connect, "
      "averages what they send, and remembers every step, so that it can be killed at any moment and started again.  "
      "Results are in STATE/jobs/<name>: events.jsonl, status.json, metrics.jsonl, and at the end "
      "model_final.safetensors and result.json.\n\n"
      "consilium coordinator backup and consilium coordinator restore have a --help of their own.",
      "consilium coordinator --kit kits/coordinator --state state\n  "
      "consilium coordinator --kit kits/coordinator --state state --job job.yaml --initial-model model.safetensors "
      "--exit-when-done");
  command.Option("--kit", &kit, "the coordinator's kit, made by consilium provision", true);
  command.Option("--state", &state, "folder that remembers everything (default: KIT/state)");
  command.Option("--job", &job,
                 "a job to run beside those that are submitted; not needed to go on with those in STATE");
  command.Option("--initial-model", &initial_model,
                 "weights that round 0 starts from (consilium init JOB.yaml --data DIR --output FILE)");
  command.Option("--listen", &listen, "host:port instead of the kit's; port 0: a free one, see STATE/endpoint.json");
  command.Option("--jobs-max", &jobs_max, "jobs that run at once; the others wait their turn");
  command.Option("--quota", &quota, "how much of the disk jobs may be promised, e.g. 50G (default: what is free)");
  command.Flag("--exit-when-done", &exit_when_done,
               "end when the job of --job (without it: every job in STATE) is over, with its result as exit code");
  return command.Run(arguments, [&]() -> Status {
    CoordinatorOptions options;
    ASSIGN_OR_RETURN(options.kit, transport::ReadKit(kit, transport::Role::kCoordinator));
    RETURN_IF_ERROR(ApplyRoster(&options));
    options.state = state.empty() ? std::filesystem::path(kit) / "state" : std::filesystem::path(state);
    options.job_file = job;
    options.initial_model = initial_model;
    if (job.empty() && !initial_model.empty())
      return InvalidArgument("--initial-model is the model of --job, which is not given");
    if (jobs_max < 1 || jobs_max > 64) return InvalidArgument("--jobs-max ", jobs_max, " is not between 1 and 64");
    options.jobs_max = static_cast<std::size_t>(jobs_max);
    ASSIGN_OR_RETURN(options.quota_bytes, ParseBytes(quota));
    options.when_done = exit_when_done ? WhenDone::kExit : WhenDone::kStay;
    RETURN_IF_ERROR(ParseListen(listen, &options));
    // Buffers of transfers go from thread to thread: an arena for each would keep what all sites together took at once
    // several times over (a quarter of the peak with 32 sites).
    ::mallopt(M_ARENA_MAX, 2);
    return RunCoordinator(options);
  });
}

}  // namespace consilium::coordinator
