// After the last epoch: every validation case as a whole, by sliding window, against its label.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "trainer/evaluation/summary.h"
#include "trainer/inference/predict.h"
#include "trainer/loop/train_data.h"
#include "trainer/loop/trainer.h"

namespace consilium::trainer {

struct FinalValidationOptions {
  const TrainData* data = nullptr;
  const ModelCard* card = nullptr;
  Trainer* trainer = nullptr;
  collective::Communicator* communicator = nullptr;
  std::filesystem::path predictions;  // folder; made when missing
  TestTimeMirroring mirroring = TestTimeMirroring::kOff;
  std::function<bool()> should_stop;
  std::function<void(std::int64_t done, std::int64_t total)> on_cases;  // may be null
};

// Collective: case i is rank i mod world's.  Writes a prediction a case and returns the same summary on every rank.
// Errors: Cancelled when any rank was asked to stop.
StatusOr<EvaluationSummary> ValidateWholeCases(const FinalValidationOptions& options);

}  // namespace consilium::trainer
