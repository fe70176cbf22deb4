// A polite end: SIGTERM, SIGINT or SIGUSR1 asks for a checkpoint and a stop.
//
// SIGUSR1 because Slurm sends it before a job's limit (--signal=USR1@120) and mpirun passes it on to every rank. The
// same request may come twice, from the launcher and directly: repetitions are ignored. An impatient person's second
// Ctrl-C, a second after the first or later, ends the process at once.
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
