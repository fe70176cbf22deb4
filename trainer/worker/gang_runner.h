// A site that is a cluster: K ranks do each task together, rank 0 alone talks to the client.
//
// Rank 0's session runs a GangRunner, which tells the other ranks what to do before it does it; they follow in
// FollowTasks().  Between two tasks rank 0 says "nothing yet" every so often, so that ranks that wait for hours notice
// within the step timeout when it is gone.
#pragma once

#include <memory>

#include "comm/collective/communicator.h"
#include "trainer/worker/task_runner.h"

namespace consilium::trainer {

// For rank 0.  Both must outlive it.  Strand-bound.  Destroyed: the others are told to end.
class GangRunner final : public TaskRunner {
 public:
  GangRunner(collective::Communicator& gang, TaskRunner& inner) : gang_(gang), inner_(inner) {}
  ~GangRunner() override;

  StatusOr<TaskResult> Run(const wire::WorkerTask& task, TaskMonitor& monitor) override;
  Status broken() const override { return broken_; }
  Status Idle() override;

 private:
  collective::Communicator& gang_;
  TaskRunner& inner_;
  Status broken_;
};

// For all other ranks: does what rank 0 does until it says that it is over.  Errors: those of the communicator (rank 0
// or another rank is gone); DataLoss when rank 0 speaks another language.
Status FollowTasks(collective::Communicator& gang, TaskRunner& runner);

}  // namespace consilium::trainer
