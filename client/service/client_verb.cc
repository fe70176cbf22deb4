#include "client/service/client_verb.h"

#include <unistd.h>

#include "client/service/client_shell.h"
#include "client/service/secure_kit.h"
#include "comm/base/subprocess.h"

namespace consilium::client {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kRanksMax = 4096;

StatusOr<fs::path> TrainerAt(const std::string& given) {
  if (given.empty()) return FindProgram("consilium-trainer");
  if (::access(given.c_str(), X_OK) != 0) return ErrnoStatus(errno, "--trainer " + given);
  return fs::absolute(given);
}

}  // namespace

int ClientVerb(const Arguments& arguments) {
  std::string kit, data, state, coordinator, proxy, trainer;
  bool exit_when_done = false;
  std::int64_t cases_min = ClientOptions().statistics_cases_min;
  SiteRanks ranks;
  Command command(
      "consilium client",
      "Takes part in a federation: connects outward to the coordinator, trains on the data of this site in a child "
      "process, and sends weights, never data.  It can be killed at any moment and started again: finished work is not "
      "done twice.",
      "consilium client --kit kits/hospital-a --data /srv/mri");
  command.Option("--kit", &kit, "this site's kit, made by consilium provision", true);
  command.Option("--data", &data, "folder that holds the raw data set's folder (Dataset004_Hippocampus)", true);
  command.Option("--state", &state, "folder that remembers unfinished work (default: KIT/state)");
  command.Option("--coordinator", &coordinator,
                 "host:port instead of the kit's; the certificate is checked all the same");
  command.Option("--proxy", &proxy,
                 "http://[NAME:PASSWORD@]HOST:PORT of an HTTP proxy on the way, or none (default: the variables "
                 "https_proxy and no_proxy)");
  command.Option("--trainer", &trainer, "the trainer program (default: consilium-trainer beside this one, or on PATH)");
  command.Option("--ranks", &ranks.count,
                 "train on so many ranks together, started by mpirun; the federation sees one site (default: 1)");
  command.Option("--mpirun", &ranks.launcher, "the launcher (default: mpirun)");
  command.Option("--mpirun-args", &ranks.launcher_options,
                 "option for the launcher, e.g. --mpirun-args=--hostfile --mpirun-args=nodes; may be repeated");
  command.Option("--statistics-cases-min", &cases_min,
                 "when sites plan a network together, nothing is said that fewer cases share (default: 5)");
  command.Flag("--exit-when-done", &exit_when_done, "end when the job is over, with its result as exit code");
  return command.Run(arguments, [&]() -> Status {
    ClientOptions options;
    ASSIGN_OR_RETURN(options.kit, transport::ReadKit(kit, transport::Role::kSite));
    RETURN_IF_ERROR(transport::PointKitAt(coordinator, &options.kit));
    options.proxy = proxy;
    ASSIGN_OR_RETURN(options.trainer, TrainerAt(trainer));
    if (ranks.count < 1 || ranks.count > kRanksMax)
      return InvalidArgument("--ranks ", ranks.count, ": expected 1 to ", kRanksMax);
    if (ranks.count == 1 && !ranks.launcher_options.empty())
      return InvalidArgument("--mpirun-args is for a site of several ranks: give --ranks too");
    options.ranks = ranks;
    if (cases_min < 1 || cases_min > 1'000'000)
      return InvalidArgument("--statistics-cases-min ", cases_min, ": expected at least 1");
    options.statistics_cases_min = cases_min;
    std::error_code error;
    if (!fs::is_directory(data, error))
      return InvalidArgument("--data ", data, " is not a folder; give the one that holds the raw data set's folder");
    options.data = fs::absolute(data);
    options.state = fs::absolute(state.empty() ? fs::path(kit) / "state" : fs::path(state));
    RETURN_IF_ERROR(AddSecureParty(options.kit, &options.session));
    options.session.when_done = exit_when_done ? SessionOptions::WhenDone::kExit : SessionOptions::WhenDone::kStay;
    return RunClient(options);
  });
}

}  // namespace consilium::client
