#include "datasets/raw/file_names.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

namespace consilium::datasets {

std::optional<std::string> ParseLabelName(const std::string& name, const std::string& ending) {
  // ".nii" is no ending of "x.nii.gz"; ends_with alone already tells them apart.
  if (!name.ends_with(ending) || name.size() == ending.size()) return std::nullopt;
  return name.substr(0, name.size() - ending.size());
}

std::optional<ImageName> ParseImageName(const std::string& name, const std::string& ending) {
  const std::optional<std::string> stem = ParseLabelName(name, ending);
  if (!stem || stem->size() < 6 || (*stem)[stem->size() - 5] != '_') return std::nullopt;
  const std::string digits = stem->substr(stem->size() - 4);
  const bool is_number =
      std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  if (!is_number) return std::nullopt;
  return ImageName{.id = stem->substr(0, stem->size() - 5), .channel = std::stoi(digits)};
}

std::string ImageNameOf(const std::string& id, int channel, const std::string& ending) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "_%04d", channel);
  return id + digits + ending;
}

StatusOr<std::vector<std::string>> ListFiles(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code unused;  // a dangling link is listed: reading it names the fault
    if (!name.starts_with('.') && !entry->is_directory(unused)) names.push_back(name);
  }
  if (error) return ErrnoStatus(error.value(), "listing " + folder.string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace consilium::datasets
