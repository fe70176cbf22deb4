// What the worker's session needs from whoever does the work; the session is tested with a fake one.
#pragma once

#include "comm/base/status.h"
#include "comm/wire/worker.h"

namespace consilium::trainer {

// How a runner talks while it works.
class TaskMonitor {
 public:
  virtual ~TaskMonitor() = default;
  // `progress` from 0 to 1.  Cheap: most calls are dropped, at most 4 messages a second leave the process.
  virtual void Report(double progress, const wire::Metrics& metrics) = 0;
  // True once the client asked to stop or went away; look at it between steps and return kCancelled.  Thread-safe.
  virtual bool cancelled() const = 0;
};

struct TaskResult {
  double weight = 1;  // examples; kTrain only
  wire::Metrics metrics;
};

// Keeps what the next task of the same job can use again (data, model); strand-bound.
class TaskRunner {
 public:
  virtual ~TaskRunner() = default;
  // May throw (torch does): the session turns an exception into a failed task and lives on.
  virtual StatusOr<TaskResult> Run(const wire::WorkerTask& task, TaskMonitor& monitor) = 0;
  // Not OK when no further task can be done, as after the death of a rank: the session then ends with it, without
  // answering the task in hand, and the client starts a new trainer that does it again.
  virtual Status broken() const { return {}; }
  // There was nothing to do for a while (SessionOptions::idle_interval): lets others know that we live.  A failure ends
  // the session.
  virtual Status Idle() { return {}; }
};

}  // namespace consilium::trainer
