// The real work behind the worker's session: trains or evaluates one task on this site's data.
//
// A task's result is a function of its files and its job alone: model, momentum and the round's place in the schedule
// are loaded anew for each, so a worker that was killed and started again gives the same update.
#pragma once

#include <memory>

#include "trainer/worker/task_runner.h"

namespace consilium::trainer {

// Keeps the prepared cases and the built network between the tasks of a job: data that change on the disk meanwhile are
// seen after a restart.
//
// kTrain reports loss, dice and dice.<label> (pseudo Dice of the trained weights on validation patches; left out
// without validation cases), seconds, patches_per_second, peak_rss_mb; the weight is the number of training cases.
// kEvaluate writes predictions and summary.json and reports dice (mean over foreground labels), dice.<label>, cases,
// seconds.  Labels that are defined nowhere are left out.
//
// Errors: InvalidArgument (job, data with all faults, weights of another model), Cancelled, Storage, ResourceExhausted
// (memory), Failed (torch, a loss that is not finite).
std::unique_ptr<TaskRunner> MakeTrainingRunner();

}  // namespace consilium::trainer
