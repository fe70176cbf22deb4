#include <cstdlib>

#include <charconv>

#include "comm/collective/rendezvous.h"

namespace consilium::collective {
namespace {

constexpr int kRanksMax = 1 << 16;

// Reads numbers from variables and remembers the first that is none.
class Variables {
 public:
  explicit Variables(const Environment& environment) : environment_(environment) {}

  bool Has(const std::string& name) const { return environment_(name).has_value(); }
  std::string Text(const std::string& name) const { return environment_(name).value_or(""); }
  std::optional<int> Number(const std::string& name, int low, int high) {
    const std::optional<std::string> text = environment_(name);
    if (!text) return std::nullopt;
    int value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error == std::errc() && end == text->data() + text->size() && value >= low && value <= high) return value;
    if (status_.ok())
      status_ = InvalidArgument("environment variable ", name, "='", *text, "': expected a whole number from ", low,
                                " to ", high);
    return std::nullopt;
  }
  const Status& status() const { return status_; }

 private:
  const Environment& environment_;
  Status status_;
};

// The variables of one launcher.
struct Launcher {
  std::string source, rank, world, local_rank, local_world;
};
const Launcher kTorchrun = {"torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"};
const Launcher kOpenMpi = {"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
                           "OMPI_COMM_WORLD_LOCAL_SIZE"};
const Launcher kSlurm = {"Slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", ""};

Status CheckPlace(const Invitation& invitation, const std::string& rank_name, const std::string& world_name) {
  const Place& place = invitation.place;
  if (place.rank >= place.world)
    return InvalidArgument(invitation.source, ": ", rank_name, "=", place.rank, " contradicts ", world_name, "=",
                           place.world, "; ranks are numbered from 0 to ", place.world - 1);
  if (invitation.knows_local && place.local_rank >= place.local_world)
    return InvalidArgument(invitation.source, ": local rank ", place.local_rank, " contradicts ", place.local_world,
                           " ranks on this host");
  return {};
}

// "host:port", "[::1]:port".
Status ParseAddress(const std::string& text, Invitation* invitation) {
  const std::size_t colon = text.rfind(':');
  int port = 0;
  if (colon != std::string::npos && colon > 0) {
    const char* end = text.data() + text.size();
    const auto [parsed, error] = std::from_chars(text.data() + colon + 1, end, port);
    if (error != std::errc() || parsed != end) port = 0;
  }
  if (port < 1 || port > 65535) return InvalidArgument("--address '", text, "': expected HOST:PORT of rank 0");
  invitation->host = text.substr(0, colon);
  if (invitation->host.front() == '[' && invitation->host.back() == ']')
    invitation->host = invitation->host.substr(1, invitation->host.size() - 2);
  invitation->port = port;
  return {};
}

StatusOr<Invitation> FromFlags(const RendezvousFlags& flags) {
  if (!flags.rank || !flags.world) return InvalidArgument("--rank and --world belong together; give both or neither");
  if (*flags.world < 1 || *flags.world > kRanksMax || *flags.rank < 0)
    return InvalidArgument("--world is from 1 to ", kRanksMax, " and --rank from 0");
  Invitation invitation;
  invitation.source = "flags";
  invitation.place.rank = *flags.rank;
  invitation.place.world = *flags.world;
  if (!flags.address.empty()) RETURN_IF_ERROR(ParseAddress(flags.address, &invitation));
  if (*flags.world > 1 && flags.address.empty())
    return InvalidArgument("--world ", *flags.world, " needs --address HOST:PORT of rank 0");
  RETURN_IF_ERROR(CheckPlace(invitation, "--rank", "--world"));
  return invitation;
}

// MASTER_ADDR and MASTER_PORT, both or neither.
Status ReadMaster(Variables& variables, Invitation* invitation) {
  const bool has_address = variables.Has("MASTER_ADDR"), has_port = variables.Has("MASTER_PORT");
  if (has_address != has_port)
    return InvalidArgument(invitation->source, ": ", has_address ? "MASTER_ADDR" : "MASTER_PORT", " is set but ",
                           has_address ? "MASTER_PORT" : "MASTER_ADDR", " is not; set both or neither");
  if (!has_address) return {};
  const std::optional<int> port = variables.Number("MASTER_PORT", 1, 65535);
  RETURN_IF_ERROR(variables.status());
  invitation->host = variables.Text("MASTER_ADDR");
  invitation->port = *port;
  if (invitation->host.empty()) return InvalidArgument(invitation->source, ": MASTER_ADDR is empty");
  return {};
}

StatusOr<Invitation> FromLauncher(const Launcher& launcher, Variables& variables) {
  Invitation invitation;
  invitation.source = launcher.source;
  const std::optional<int> rank = variables.Number(launcher.rank, 0, kRanksMax - 1);
  const std::optional<int> world = variables.Number(launcher.world, 1, kRanksMax);
  const std::optional<int> local_rank = variables.Number(launcher.local_rank, 0, kRanksMax - 1);
  const std::optional<int> local_world =
      launcher.local_world.empty() ? std::nullopt : variables.Number(launcher.local_world, 1, kRanksMax);
  const std::optional<int> attempt = variables.Number("TORCHELASTIC_RESTART_COUNT", 0, kRanksMax);
  RETURN_IF_ERROR(variables.status());
  if (!rank || !world)
    return InvalidArgument(launcher.source, ": ", rank ? launcher.rank : launcher.world, " is set but ",
                           rank ? launcher.world : launcher.rank,
                           " is not; a launcher sets both, so unset the one that was left over or set the other");
  invitation.place.rank = *rank;
  invitation.place.world = *world;
  if (local_rank && local_world) {
    invitation.place.local_rank = *local_rank;
    invitation.place.local_world = *local_world;
    invitation.knows_local = true;
  }
  invitation.attempt = attempt.value_or(0);
  RETURN_IF_ERROR(CheckPlace(invitation, launcher.rank, launcher.world));
  if (*world > 1) RETURN_IF_ERROR(ReadMaster(variables, &invitation));
  return invitation;
}

}  // namespace

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

StatusOr<Invitation> ResolveInvitation(const RendezvousFlags& flags, const Environment& environment) {
  if (flags.rank || flags.world || !flags.address.empty()) return FromFlags(flags);
  Variables variables(environment);
  const bool torchrun = variables.Has(kTorchrun.rank) || variables.Has(kTorchrun.world);
  const bool open_mpi = variables.Has(kOpenMpi.rank) || variables.Has(kOpenMpi.world);
  if (torchrun) {
    ASSIGN_OR_RETURN(Invitation invitation, FromLauncher(kTorchrun, variables));
    if (invitation.place.world > 1 && invitation.host.empty())
      return InvalidArgument("torchrun: WORLD_SIZE=", invitation.place.world,
                             " needs MASTER_ADDR and MASTER_PORT, the address of rank 0");
    invitation.store_is_elsewhere = variables.Text("TORCHELASTIC_USE_AGENT_STORE") == "True";
    // torchrun itself may have been started by mpirun or srun, one a node; RANK left over in a shell may not.
    if (open_mpi && !variables.Has("TORCHELASTIC_RUN_ID")) {
      ASSIGN_OR_RETURN(const Invitation other, FromLauncher(kOpenMpi, variables));
      if (other.place.rank != invitation.place.rank || other.place.world != invitation.place.world)
        return InvalidArgument("RANK=", invitation.place.rank, " WORLD_SIZE=", invitation.place.world,
                               " contradict OMPI_COMM_WORLD_RANK=", other.place.rank,
                               " OMPI_COMM_WORLD_SIZE=", other.place.world, "; unset RANK and WORLD_SIZE under mpirun");
    }
    return invitation;
  }
  if (open_mpi) return FromLauncher(kOpenMpi, variables);
  // Inside an allocation but outside srun (a batch script's own shell) there are no steps and no gang.
  if (variables.Has("SLURM_STEP_ID") && variables.Has(kSlurm.rank)) return FromLauncher(kSlurm, variables);
  Invitation invitation;
  invitation.source = "no launcher";
  invitation.knows_local = true;
  return invitation;
}

}  // namespace consilium::collective
