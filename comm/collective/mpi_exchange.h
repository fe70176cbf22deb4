// The one thing that MPI is used for: rank 0 tells the others, started by the same mpirun or srun, where its store is.
// No torch here.
#pragma once

#include <string>

#include "comm/base/status.h"
#include "comm/collective/communicator.h"

namespace consilium::collective {

// Compiled with CONSILIUM_MPI?
bool HasMpi();

// Rank 0's text on every rank; at most 4096 bytes.  MPI is initialised and finalised inside, so that an idle rank does
// not spin in MPI_Finalize later; a second call in one process is FailedPrecondition.  Blocks until every rank came,
// for MPI knows no timeout.  Errors: Rendezvous; Unimplemented without CONSILIUM_MPI.
StatusOr<std::string> BroadcastThroughMpi(const Place& place, const std::string& text);

}  // namespace consilium::collective
