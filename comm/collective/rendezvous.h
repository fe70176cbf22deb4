// How the ranks of a gang find each other, whoever started them: flags, torchrun, mpirun (Open MPI) or srun (Slurm).
//
// Rank 0 opens a store on a port that the system chose and tells the others where: through MPI when mpirun started us
// (MPI is finalised right after that one broadcast), through MASTER_ADDR and MASTER_PORT otherwise.  Over the store the
// ranks compare what they are about to do; one that differs (another job file, world, build) is named by all.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "comm/base/time.h"
#include "comm/collective/communicator.h"

namespace consilium::collective {

// What the command line said; unset fields come from the environment.
struct RendezvousFlags {
  std::optional<int> rank, world, local_rank;
  std::string address;  // "host:port" of rank 0's store
};

struct Invitation {
  Place place;
  bool knows_local = false;         // local_rank and local_world were given; else they follow from the host names
  std::string host;                 // of rank 0's store; "": to be learned through MPI
  int port = 0;                     // 0: the system chooses (only with MPI)
  bool store_is_elsewhere = false;  // torchrun's agent holds the store, rank 0 only connects
  int attempt = 0;                  // restarts so far; ranks of another attempt never meet
  std::string source;               // "flags", "torchrun", "Open MPI", "Slurm", "no launcher"
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment ProcessEnvironment();

// The first of flags, torchrun, Open MPI, Slurm that is there; a single process when none is.  Errors: InvalidArgument
// for a set that is incomplete or contradicts itself or another set, naming the variables and what to set.
StatusOr<Invitation> ResolveInvitation(const RendezvousFlags& flags, const Environment& environment);

struct ConnectOptions {
  RendezvousFlags flags;
  std::string backend = "auto";                         // auto | gloo | nccl; auto: nccl where CUDA is, gloo elsewhere
  Duration startup_timeout = std::chrono::seconds(60);  // until every rank has come
  Duration step_timeout = std::chrono::seconds(60);     // one collective operation
  std::string interface;                                // network interface; "": the one routed to rank 0
  std::string job_digest;                               // compared between ranks
  std::string build;                                    // compared between ranks
  Environment environment = ProcessEnvironment();
};

// Blocks until all ranks are there.  Errors: InvalidArgument, Rendezvous (who is missing, who differs and in what,
// which port is taken), Unimplemented (a backend that this build lacks).
StatusOr<std::unique_ptr<Communicator>> Connect(const ConnectOptions& options);

}  // namespace consilium::collective
