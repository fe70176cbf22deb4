// What a stranger must know to use a model: RUN/model.json, written once at the start of training.  No torch.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "comm/wire/job.h"
#include "datasets/preprocess/prepared_case.h"
#include "trainer/models/model_input.h"

namespace consilium::trainer {

inline constexpr char kModelCardFile[] = "model.json";

struct ModelCard {
  std::string dataset;        // Dataset004_Hippocampus
  std::string configuration;  // 2d | 3d_fullres
  std::vector<std::string> channel_names;
  std::vector<std::pair<std::string, std::int16_t>> labels;  // name, value; background = 0 included
  std::string file_ending;                                   // of images and predictions
  std::vector<datasets::Normalization> normalization;        // one a channel
  bool normalize_inside_mask_only = false;
  std::vector<datasets::CtIntensities> ct;  // one a channel where one is CTNormalization; else empty
  datasets::Spacing3 spacing{1, 1, 1};      // mm, of the prepared training cases; z says nothing where patches are flat
  wire::ModelSpec model;                    // resolved: strides and kernels filled in

  // Axes of the patch that training mirrored and prediction may mirror too: 0..dimension-1, or empty.
  std::vector<std::int64_t> mirror_axes;

  ModelInput input() const;
};

// From the data set, its preparation and the resolved job (ResolveModel).  `spacing`: of the first prepared case.
ModelCard MakeModelCard(const wire::JobSpec& job, const wire::ModelSpec& resolved,
                        const datasets::DatasetDescription& description, const datasets::PrepareOptions& prepare,
                        const datasets::Spacing3& spacing);

Json ModelCardToJson(const ModelCard& card);
// Errors: InvalidArgument, with file, line and key, and what was expected.
StatusOr<ModelCard> ParseModelCard(const ConfigNode& root);

// `run` is the RUN directory.
Status WriteModelCard(const std::filesystem::path& run, const ModelCard& card);
StatusOr<ModelCard> ReadModelCard(const std::filesystem::path& run);

// The same facts in the terms of the data set's readers.
datasets::DatasetDescription DescriptionOf(const ModelCard& card);
datasets::PrepareOptions PrepareOptionsOf(const ModelCard& card);

// As the job's plans say; where it has none, as the channels' names do.  Spacing: data.spacing.
StatusOr<datasets::PrepareOptions> PrepareOptionsOf(const wire::JobSpec& job,
                                                    const datasets::DatasetDescription& description);

}  // namespace consilium::trainer
