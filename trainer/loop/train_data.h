// From the job's data set to cases in memory: found, checked, split, prepared.  No torch.
#pragma once

#include <filesystem>
#include <vector>

#include "comm/wire/job.h"
#include "datasets/planner/splits.h"
#include "datasets/preprocess/prepared_case.h"
#include "datasets/raw/raw_dataset.h"

namespace consilium::trainer {

struct TrainData {
  datasets::RawDataset dataset;
  datasets::Split split;
  datasets::PrepareOptions prepare;
  std::vector<datasets::PreparedCase> train, validation;  // in the order of split
};

// The folds of $nnUNet_preprocessed/DATASET/splits_final.json when there is one, else nnU-Net's own.
StatusOr<datasets::Split> SplitOf(const datasets::RawDataset& dataset, std::int64_t fold);

// `data_folder` as for datasets::FindDataset; may be empty.  Every case is read twice: once by the integrity check,
// which lists all faults of all cases before anything else happens (InvalidArgument), and once to be prepared.
StatusOr<TrainData> LoadTrainData(const wire::JobSpec& job, const std::filesystem::path& data_folder);

}  // namespace consilium::trainer
