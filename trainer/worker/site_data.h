// A site's cases, checked and made ready once, kept between rounds.
#pragma once

#include <filesystem>
#include <vector>

#include "comm/wire/job.h"
#include "datasets/planner/splits.h"
#include "datasets/preprocess/prepared_case.h"
#include "datasets/raw/raw_dataset.h"

namespace consilium::trainer {

struct SiteData {
  datasets::RawDataset dataset;
  datasets::Split split;
  datasets::PrepareOptions prepare;
  std::vector<datasets::PreparedCase> train, validation;  // in the order of the split
};

// Errors: InvalidArgument that lists every fault of every case; NotFound says where was looked.
StatusOr<SiteData> LoadSiteData(const wire::DataSpec& data, const std::filesystem::path& data_dir);

// Cases to predict for an evaluation, each with its true labels.
struct HeldOutCases {
  std::vector<datasets::CaseFiles> cases;
  std::string source;  // "heldout" | "validation fold"
};

// data_dir/heldout/{imagesTs,labelsTs} when there is one, else the fold's validation cases.  Errors: InvalidArgument
// when a held-out case has no label or there is no case at all.
StatusOr<HeldOutCases> FindHeldOut(const datasets::RawDataset& dataset, const wire::DataSpec& data,
                                   const std::filesystem::path& data_dir);

// The data set named by the job, below data_dir first.
StatusOr<datasets::RawDataset> OpenSiteDataset(const wire::DataSpec& data, const std::filesystem::path& data_dir);

}  // namespace consilium::trainer
