// The real work behind the worker's session: trains or evaluates one task on this site's data.
//
// A task's result is a function of its files and its job alone: model, state and the round's place in the schedule are
// loaded anew for each, so a worker that was killed and started again gives the same update.
#pragma once

#include <filesystem>
#include <memory>

#include "comm/collective/communicator.h"
#include "trainer/worker/task_runner.h"

namespace consilium::trainer {

// Keeps the prepared cases and the built network between the tasks of a job: data that change on the disk meanwhile are
// seen after a restart.
//
// `gang` (null: one process) must outlive the runner.  Every rank runs the same tasks in the same order; rank 0 alone
// reads and writes models, updates and states, every rank reads the data set under the same path, and predicts its part
// of the cases into the same folder.  A failure is the same on every rank, unless the gang itself broke.
//
// kTrain: see federated_round.h; the weight is the number of training cases.
// kEvaluate and kValidate write predictions and summary.json and report dice (mean over foreground labels),
// dice.<label>, cases, seconds.  Labels that are defined nowhere are left out.  With personal parts the model is the
// given one with the site's own parts in place.  A job with a personalization also reports personal_dice and
// personal_dice.<label> (predictions in personal/): Ditto's personal model in every evaluation of the global model, the
// fine-tuned one in the kEvaluate after the last round.
//
// kStatistics: see statistics_task.h, initial_task.h and wire/preparation.h.
//
// With privacy.records see release_privacy.h.
//
// Errors: PrivacyBudget, InvalidArgument (job, data with all faults, weights of another model), FailedPrecondition
// (state of another job), Cancelled, Storage, ResourceExhausted (memory), Failed (torch, a loss that is not finite).
struct RunnerOptions {
  std::uint32_t statistics_cases_min = 5;  // the site says nothing of fewer cases
  // Of the site's privacy ledgers and noise keys, a folder for each data set; empty: jobs with privacy.records are
  // refused.  It must outlive the job, and the next one.
  std::filesystem::path ledgers;
};
std::unique_ptr<TaskRunner> MakeTrainingRunner(collective::Communicator* gang = nullptr, RunnerOptions options = {});

}  // namespace consilium::trainer
