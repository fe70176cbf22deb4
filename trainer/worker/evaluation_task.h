// Predicts a site's held-out cases with a given model and compares them with the truth.
#pragma once

#include <filesystem>

#include "comm/wire/job.h"
#include "trainer/evaluation/summary.h"
#include "trainer/worker/task_runner.h"

namespace consilium::trainer {

struct EvaluationTask {
  wire::JobSpec job;
  std::filesystem::path data_dir;  // as for FindHeldOut (held_out.h)
  std::filesystem::path model;     // safetensors
  std::filesystem::path output;    // made when missing; CASE.ending, then summary.json
};

// Without mirroring.  Errors: InvalidArgument (weights of another model, a faulty case with its name), Cancelled
// between two cases.
StatusOr<EvaluationSummary> RunEvaluation(const EvaluationTask& task, TaskMonitor& monitor);

}  // namespace consilium::trainer
