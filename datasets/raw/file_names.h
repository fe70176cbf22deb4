// How nnU-Net names files: CASE_CCCC.ending for a channel of an image, CASE.ending for a label.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "comm/base/status.h"

namespace consilium::datasets {

struct ImageName {
  std::string id;
  int channel = 0;
};

// nullopt when `name` is not CASE_CCCC`ending`.
std::optional<ImageName> ParseImageName(const std::string& name, const std::string& ending);
// nullopt when `name` is not CASE`ending`.
std::optional<std::string> ParseLabelName(const std::string& name, const std::string& ending);
std::string ImageNameOf(const std::string& id, int channel, const std::string& ending);  // "x_0001.nii.gz"

// Names of the files in `folder`, sorted; hidden ones (".x", as macOS leaves "._x" behind) and folders are left out.
StatusOr<std::vector<std::string>> ListFiles(const std::filesystem::path& folder);

}  // namespace consilium::datasets
