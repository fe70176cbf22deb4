#include "coordinator/service/coordinator_verb.h"

#include <charconv>

#include "coordinator/service/coordinator_shell.h"

namespace consilium::coordinator {
namespace {

// "127.0.0.1:0", "[::]:8443", ":8443" (the kit's interface).
Status ParseListen(const std::string& text, CoordinatorOptions* options) {
  if (text.empty()) return Status();
  const std::size_t colon = text.rfind(':');
  int port = -1;
  if (colon != std::string::npos) {
    const char* begin = text.data() + colon + 1;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(begin, end, port);
    if (error != std::errc() || rest != end || begin == end) port = -1;
  }
  if (port < 0 || port > 65535)
    return InvalidArgument("--listen ", text,
                           " is not host:port; write for example 0.0.0.0:8443, or 127.0.0.1:0 for "
                           "a free port");
  options->listen_port = port;
  options->listen_address = text.substr(0, colon);
  if (options->listen_address.starts_with("[") && options->listen_address.ends_with("]"))
    options->listen_address = options->listen_address.substr(1, options->listen_address.size() - 2);
  return Status();
}

}  // namespace

int CoordinatorVerb(const Arguments& arguments) {
  std::string kit, state, job, initial_model, listen;
  bool exit_when_done = false;
  Command command(
      "consilium coordinator",
      "Leads a federation: gives rounds of work to the sites that connect, averages what they send, and remembers "
      "every "
      "step, so that it can be killed at any moment and started again.  Results are in STATE/jobs/<name>: "
      "events.jsonl, status.json, metrics.jsonl, and at the end model_final.safetensors and result.json.",
      "consilium coordinator --kit kits/coordinator --state state --job job.yaml --initial-model model.safetensors");
  command.Option("--kit", &kit, "the coordinator's kit, made by consilium provision", true);
  command.Option("--state", &state, "folder that remembers everything (default: KIT/state)");
  command.Option("--job", &job, "job file with a federation part; not needed to go on with the job in STATE");
  command.Option("--initial-model", &initial_model,
                 "weights that round 0 starts from (consilium init JOB.yaml --data DIR --output FILE)");
  command.Option("--listen", &listen, "host:port instead of the kit's; port 0: a free one, see STATE/endpoint.json");
  command.Flag("--exit-when-done", &exit_when_done, "end when the job is over, with its result as exit code");
  return command.Run(arguments, [&]() -> Status {
    CoordinatorOptions options;
    ASSIGN_OR_RETURN(options.kit, transport::ReadKit(kit, transport::Role::kCoordinator));
    options.state = state.empty() ? std::filesystem::path(kit) / "state" : std::filesystem::path(state);
    options.job_file = job;
    options.initial_model = initial_model;
    options.when_done = exit_when_done ? WhenDone::kExit : WhenDone::kStay;
    RETURN_IF_ERROR(ParseListen(listen, &options));
    return RunCoordinator(options);
  });
}

}  // namespace consilium::coordinator
