// Predicts cases that a site did not train on with a given model and compares them with the truth.
#pragma once

#include <filesystem>

#include "comm/collective/communicator.h"
#include "comm/tensor/parameter_vector.h"
#include "comm/wire/job.h"
#include "trainer/evaluation/summary.h"
#include "trainer/worker/held_out.h"
#include "trainer/worker/task_runner.h"

namespace consilium::trainer {

struct EvaluationTask {
  const wire::JobSpec& job;
  std::filesystem::path data_dir;  // as for FindCases (held_out.h)
  CasesFrom cases = CasesFrom::kHeldOut;
  std::filesystem::path output;  // made when missing; CASE.ending, then summary.json
  // The whole model's weights; rank 0's count, the others' are not looked at.
  const tensor::ParameterVector& weights;
  collective::Communicator& gang;
  double progress_begin = 0, progress_end = 1;  // the part of the task that this evaluation is
};

// Collective.  Without mirroring; cases are dealt out to the ranks, and every rank gets the whole summary.
// Errors: InvalidArgument (weights of another model, a faulty case with its name), Cancelled between two cases.
StatusOr<EvaluationSummary> RunEvaluation(const EvaluationTask& task, TaskMonitor& monitor);

// The job's seeded weights: what a site's personal parts are before its first round.  Not collective.
StatusOr<tensor::ParameterVector> SeededWeights(const wire::JobSpec& job, const datasets::RawDataset& dataset);

}  // namespace consilium::trainer
