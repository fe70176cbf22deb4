// Plans a raw data set into PREPROCESSED/DatasetNNN_Name, in files that nnU-Net reads and writes.
#pragma once

#include <filesystem>

#include "datasets/planner/experiment_planner.h"
#include "datasets/statistics/fingerprint_extractor.h"

namespace consilium::datasets {

struct PlannedDataset {
  std::filesystem::path folder;  // where the files are
  std::filesystem::path plans_file;
  Json plans;
  std::vector<std::string> notes;  // for people: what was kept, what was left out
};

// Below the folder `preprocessed`; when that is empty below $nnUNet_preprocessed, else below "preprocessed".
std::filesystem::path PreprocessedFolder(const std::string& dataset, const std::filesystem::path& preprocessed);

// Extracts the fingerprint, plans, and writes dataset_fingerprint.json, PLANS_NAME.json, dataset.json and
// splits_final.json.  Configurations of an existing plans file that planning does not make are kept, and so are
// existing splits.
StatusOr<PlannedDataset> PlanDataset(const RawDataset& dataset, const std::filesystem::path& preprocessed,
                                     const PlannerOptions& planner, const FingerprintOptions& options);

// Writes plans that were made elsewhere (PlanFromStatistics) beside the same other files, all but the fingerprint.
StatusOr<PlannedDataset> WritePlans(const RawDataset& dataset, const std::filesystem::path& preprocessed, Json plans);

}  // namespace consilium::datasets
