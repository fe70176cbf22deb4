// A polite end: the first SIGTERM, SIGINT or SIGUSR1 asks for a checkpoint and a stop, the second one ends at once.
//
// SIGUSR1 because Slurm sends it before a job's limit (--signal=USR1@120) and mpirun passes it on to every rank.
#pragma once

namespace consilium::trainer {

// Handles the signals while it lives; then the handlers from before are back.  One at a time in a process.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Thread-safe.
  bool requested() const;
};

}  // namespace consilium::trainer
