// An nnU-Net raw data set: DatasetNNN_Name/{dataset.json, imagesTr/CASE_CCCC.ending, labelsTr/CASE.ending}.
//
// Opening reads dataset.json and lists the folders; no image is opened.  What the cases themselves are like is
// integrity.h's business.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "comm/base/json.h"
#include "comm/base/status.h"
#include "datasets/image/volume.h"

namespace consilium::datasets {

struct DatasetDescription {
  std::vector<std::string> channel_names;  // channel 0 first
  std::vector<std::pair<std::string, std::int16_t>>
      labels;                     // name, value; in the file's order; background = 0 included
  std::int64_t num_training = 0;  // what dataset.json promises
  std::string file_ending;        // ".nii.gz", ".nii" or ".png"

  std::int64_t num_channels() const { return static_cast<std::int64_t>(channel_names.size()); }
  std::int64_t num_classes() const { return static_cast<std::int64_t>(labels.size()); }  // background included
};

struct CaseFiles {
  std::string id;
  std::vector<std::filesystem::path> images;  // one a channel, or a single colour PNG; may be missing on disk
  std::filesystem::path label;                // may be missing on disk
};

struct RawDataset {
  std::filesystem::path folder;
  std::string name;  // the folder's name, e.g. Dataset004_Hippocampus
  DatasetDescription description;
  std::vector<CaseFiles> cases;  // sorted by id; every id that has an image or a label
};

// `where` names the source in errors ("x/dataset.json").  The older key `modality` is accepted for `channel_names`.
// Regions, an ignore label and explicit file lists are known but not built yet: kUnimplemented.
StatusOr<DatasetDescription> ParseDatasetDescription(const Json& json, const std::string& where);

StatusOr<RawDataset> OpenRawDataset(const std::filesystem::path& folder);

// The case named `id`; kNotFound suggests the nearest.
StatusOr<CaseFiles> FindCase(const RawDataset& dataset, const std::string& id);

// All channels of a case in one image; shapes and spacings must agree, and there must be `num_channels` of them.
StatusOr<Image> ReadCaseImage(const CaseFiles& files, std::int64_t num_channels);

// The cases of a folder of images to predict on (CASE_CCCC.ending); labels stay empty.  Sorted by id.
StatusOr<std::vector<CaseFiles>> ListImageFolder(const std::filesystem::path& folder,
                                                 const DatasetDescription& description);

// Where data set `name` lies.  With a `data_folder`: the folder of that name in it and nothing else, so `name` may come
// from a stranger's job; names with a path in them are kPermissionDenied.  Without: `name` itself when it is a folder
// with a dataset.json, else below $nnUNet_raw, else below $CONSILIUM_DATA.  kNotFound says where was looked and
// suggests the nearest.
StatusOr<std::filesystem::path> FindDataset(const std::string& name, const std::filesystem::path& data_folder = {});

}  // namespace consilium::datasets
