// The worker's side of the local socket: greets, serves one task at a time, passes on progress, answers every task with
// WorkerDone or WorkerFailed.
#pragma once

#include <string>

#include "comm/base/time.h"
#include "trainer/worker/task_runner.h"

namespace consilium::trainer {

struct SessionOptions {
  std::string build;                                            // for WorkerHello
  Duration progress_interval = std::chrono::milliseconds(250);  // at most one WorkerProgress in that time
  Duration idle_interval = std::chrono::seconds(20);            // from one TaskRunner::Idle() to the next
  const Clock* clock = &SystemClock();
};

// Runs tasks on the calling thread until the client closes the socket; a second thread reads.  A task in hand is then
// cancelled, and Serve returns when its runner does.
//
// A failed task (a Status or an exception from the runner) is WorkerFailed; the session goes on.  A task that arrives
// while another is in hand waits for its turn (at most 16 do).  A cancel without a task is ignored.
//
// OK when the client closed between messages.  Errors: DataLoss for bytes that are no request; Unavailable when the
// client went away while we had something to say; the runner's when it is broken.  Does not close `descriptor`.
Status Serve(int descriptor, TaskRunner& runner, const SessionOptions& options);

}  // namespace consilium::trainer
