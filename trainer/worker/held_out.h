// Which cases a site's evaluation is made on.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "comm/wire/job.h"
#include "datasets/raw/raw_dataset.h"

namespace consilium::trainer {

// Cases to predict, each with its true labels.
struct HeldOutCases {
  std::vector<datasets::CaseFiles> cases;
  std::string source;  // "heldout" | "validation fold"
};

enum class CasesFrom {
  kHeldOut,         // data_dir/heldout/{imagesTs,labelsTs} when there is one, else the fold's validation cases
  kValidationFold,  // the validation cases of the job's fold
};

// Errors: InvalidArgument when a held-out case has no label (all of them are named) or there is no case at all.
StatusOr<HeldOutCases> FindCases(const datasets::RawDataset& dataset, const wire::DataSpec& data,
                                 const std::filesystem::path& data_dir, CasesFrom from);

}  // namespace consilium::trainer
