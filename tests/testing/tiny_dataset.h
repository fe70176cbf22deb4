// A raw data set small enough to train on in seconds: each case is a noisy cube with a bright ball (label 1) beside a
// dim one (label 2).
#pragma once

#include <cstdint>
#include <filesystem>

#include "comm/base/status.h"

namespace consilium::testing {

struct TinyDatasetOptions {
  std::int64_t cases = 6;
  std::int64_t edge = 16;  // voxels of each side
  std::uint64_t seed = 1;
  bool held_out = false;  // also writes heldout/{imagesTs,labelsTs} beside the data set, two cases
};

inline constexpr char kTinyDatasetName[] = "Dataset900_Tiny";

// Writes `folder`/Dataset900_Tiny and returns its path.
StatusOr<std::filesystem::path> WriteTinyDataset(const std::filesystem::path& folder,
                                                 const TinyDatasetOptions& options = {});

// A job for it: plain U-Net of two stages, patch 16^3 (or `edge`), `epochs` of `iterations`.
std::string TinyJobYaml(const std::string& name, std::int64_t epochs, std::int64_t iterations);

}  // namespace consilium::testing
