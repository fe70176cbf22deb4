// One round of training at a site: from the received model and what the site kept to the update and what it keeps next.
#pragma once

#include "comm/wire/job.h"
#include "trainer/loop/trainer.h"
#include "trainer/worker/release_privacy.h"
#include "trainer/worker/task_runner.h"

namespace consilium::trainer {

// All borrowed for the call.
struct RoundContext {
  const wire::JobSpec& job;
  const wire::WorkerTask& task;
  Trainer& trainer;                        // made for this job
  const tensor::ParameterVector& initial;  // the job's seeded weights: personal parts before the site's first round
  collective::Communicator& gang;          // the trainer's; rank 0 alone reads and writes files
  TaskMonitor& monitor;                    // rank 0's is the client's
  ReleasePrivacy* privacy = nullptr;       // of a job with privacy.records, for this task; else null
};

// Collective.  The round's local epochs with the strategy's local method (local/local_method.h), then, with Ditto, as
// many steps of the personal model.  When it returns OK, update and state are durable on rank 0.  A function of the
// task's files and its job: done again, it writes the same bytes.
//
// Metrics: loss, steps, seconds, patches_per_second, peak_rss_mb, dice, dice.<class> (pseudo Dice on validation
// patches), personal_loss (Ditto); and, where the strategy asks for them: tau (EffectiveSteps), loss_before, the mean
// loss of the received model over fixed training patches, plus 1, so that it is never negative (Dice + cross entropy
// begins at -1).  The result's weight is left at 1.
//
// With privacy.records none of loss, dice and personal_loss is told, in progress neither, but what release_privacy.h
// adds; the update is paid for before it is written.
//
// Errors, the same on every rank unless the gang broke: InvalidArgument (round beyond the schedule, a model that is not
// the job's, unknown personal patterns), FailedPrecondition (the site's state is of another job), PrivacyBudget (before
// the first step), Cancelled, and those of Trainer and of the files.
StatusOr<TaskResult> TrainRound(const RoundContext& context);

}  // namespace consilium::trainer
