#include "client/service/client_verb.h"

#include <charconv>

#include "client/service/client_shell.h"
#include "comm/base/subprocess.h"

namespace consilium::client {
namespace {

// "host:port", "[::1]:port".
Status ParseAddress(const std::string& text, std::string* host, int* port) {
  const std::size_t colon = text.rfind(':');
  const auto bad = [&] {
    return InvalidArgument("--coordinator ", text, ": expected host:port, for example fl.example.org:8443");
  };
  if (colon == std::string::npos || colon == 0) return bad();
  const auto parsed = std::from_chars(text.data() + colon + 1, text.data() + text.size(), *port);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || *port < 1 || *port > 65535) return bad();
  *host = text.substr(0, colon);
  if (host->front() == '[' && host->back() == ']') *host = host->substr(1, host->size() - 2);
  return Status();
}

struct ClientArguments {
  std::string kit, data, state, coordinator, trainer;
  bool exit_when_done = false;
};

StatusOr<ClientOptions> Resolve(const ClientArguments& arguments) {
  ASSIGN_OR_RETURN(const transport::Kit kit, transport::ReadKit(arguments.kit, transport::Role::kSite));
  ClientOptions options;
  options.connection = transport::ClientOptionsFrom(kit);
  if (!arguments.coordinator.empty())
    RETURN_IF_ERROR(ParseAddress(arguments.coordinator, &options.connection.host, &options.connection.port));
  options.state = arguments.state;
  options.data = std::filesystem::absolute(arguments.data).lexically_normal();
  std::error_code error;
  if (!std::filesystem::is_directory(options.data, error))
    return InvalidArgument("--data ", arguments.data,
                           " is not a folder; it must hold the raw data set's folder (DatasetNNN_Name)");
  options.trainer = arguments.trainer;
  if (options.trainer.empty()) {
    ASSIGN_OR_RETURN(options.trainer, FindProgram("consilium-trainer"));
  }
  options.session.when_done =
      arguments.exit_when_done ? SessionOptions::WhenDone::kExit : SessionOptions::WhenDone::kStay;
  return options;
}

}  // namespace

int ClientVerb(const Arguments& arguments) {
  ClientArguments given;
  Command command("consilium client",
                  "A site of a federation: connects outward to the coordinator, trains on data that stays here, sends "
                  "the weights. Runs until "
                  "it is stopped; killed and started again with the same --state, it goes on where it was. Exit code 7 "
                  "means that a "
                  "certificate or the coordinator's roster has to be mended first.",
                  "consilium client --kit kits/hospital-a --data /srv/mri --state /var/lib/consilium");
  command.Option("--kit", &given.kit, "this site's kit, from consilium provision", /*required=*/true);
  command.Option("--data", &given.data, "folder with the raw data set (DatasetNNN_Name); it is only read",
                 /*required=*/true);
  command.Option("--state", &given.state, "private folder for work in progress, models and the trainer's log",
                 /*required=*/true);
  command.Option("--coordinator", &given.coordinator, "host:port to connect to instead of the kit's");
  command.Option("--trainer", &given.trainer,
                 "the program that trains (default: consilium-trainer beside this one, or on PATH)");
  command.Flag("--exit-when-done", &given.exit_when_done, "end when the job ends, with its outcome as exit code");
  return command.Run(arguments, [&]() -> Status {
    ASSIGN_OR_RETURN(ClientOptions options, Resolve(given));
    return RunClient(std::move(options));
  });
}

}  // namespace consilium::client
