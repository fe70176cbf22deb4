// From image files to label files, with one trained model or the mean of several folds.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "datasets/image/volume.h"
#include "trainer/inference/sliding_window.h"
#include "trainer/models/model_card.h"
#include "trainer/models/segmentation_model.h"

namespace consilium::trainer {

// A model ready to predict: on its device, in eval mode.
struct LoadedModel {
  ModelCard card;
  std::shared_ptr<SegmentationModel> network;
};

// From RUN/model.json and RUN/checkpoint_<name>.safetensors.  `checkpoint`: "final", "best" or "latest"; empty: the
// first of these that is there.
StatusOr<LoadedModel> LoadRun(const std::filesystem::path& run, const std::string& checkpoint, torch::Device device);

// OK when the models can be averaged: same channels, labels, normalisation, spacing and patch.
Status CheckEnsemble(std::span<const LoadedModel> models);

enum class TestTimeMirroring { kOff, kOn };  // kOn: the axes that training mirrored

// The options that fit a model.
SlidingWindowOptions WindowOptionsFor(const ModelCard& card, TestTimeMirroring mirroring, torch::Device device);

// Labels on the source's grid, from the mean of the networks' logits.  Networks are on options.device; they are put in
// eval mode for the call and back afterwards.
StatusOr<datasets::LabelMap> PredictCase(std::span<const std::shared_ptr<SegmentationModel>> networks,
                                         const datasets::PreparedCase& prepared, const SlidingWindowOptions& options);

struct PredictOptions {
  std::vector<std::filesystem::path> runs;  // at least one; several: a fold ensemble
  std::filesystem::path input;              // CASE_CCCC.ending
  std::filesystem::path output;             // made when missing; CASE.ending, dataset.json, predict.json
  std::string checkpoint;                   // as for LoadRun
  TestTimeMirroring mirroring = TestTimeMirroring::kOff;
  torch::Device device = torch::kCPU;
  // After each case: its id, how many are done and how many there are.
  std::function<void(const std::string& id, std::int64_t done, std::int64_t total)> on_case;
};

// Predicts every case of the folder.  Inputs are checked as they come; a faulty case stops the run with its name, the
// predictions before it stay (each is written whole or not at all).  Returns the number of cases.
StatusOr<std::int64_t> PredictCases(const PredictOptions& options);

// CUDA when there is one, else the CPU.
torch::Device DefaultDevice();

}  // namespace consilium::trainer
