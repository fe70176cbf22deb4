#include "datasets/raw/raw_dataset.h"

#include <cstdlib>
#include <map>
#include <set>

#include "comm/base/suggest.h"
#include "datasets/image/image_io.h"
#include "datasets/raw/file_names.h"

namespace consilium::datasets {
namespace {

namespace fs = std::filesystem;

// The files a case should have.  One colour PNG may hold all channels, so channels after 0 are only expected where one
// of them is.
std::vector<fs::path> ExpectedImages(const fs::path& folder, const std::string& id, const std::set<int>& present,
                                     const DatasetDescription& description) {
  const bool is_one_picture = description.file_ending == ".png" && description.num_channels() == 3 &&
                              (present.empty() || *present.rbegin() == 0);
  const int num_files = is_one_picture ? 1 : static_cast<int>(description.num_channels());
  std::vector<fs::path> files;
  for (int channel = 0; channel < num_files; ++channel)
    files.push_back(folder / ImageNameOf(id, channel, description.file_ending));
  return files;
}

StatusOr<std::map<std::string, std::set<int>>> ChannelsByCase(const fs::path& folder, const std::string& ending) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFiles(folder));
  std::map<std::string, std::set<int>> channels;
  for (const std::string& name : names)
    if (const auto image = ParseImageName(name, ending)) channels[image->id].insert(image->channel);
  return channels;
}

Status RequireFolder(const fs::path& folder) {
  std::error_code unused;
  if (fs::is_directory(folder, unused)) return Status();
  return NotFound(folder.string(), " is not a folder; a data set has dataset.json, imagesTr/ and labelsTr/");
}

std::vector<fs::path> SearchFolders() {
  std::vector<fs::path> folders;
  for (const char* variable : {"nnUNet_raw", "CONSILIUM_DATA"})
    if (const char* value = std::getenv(variable); value != nullptr && *value != '\0') folders.emplace_back(value);
  return folders;
}

bool IsDataset(const fs::path& folder) {
  std::error_code unused;
  return fs::exists(folder / "dataset.json", unused);
}

Status DatasetNotFound(const std::string& name, const std::vector<fs::path>& folders) {
  if (folders.empty())
    return NotFound("no data set '", name,
                    "' here; give the folder, or set nnUNet_raw or CONSILIUM_DATA to the folder above it");
  std::vector<std::string> known;
  std::string looked;
  for (const fs::path& folder : folders) {
    looked += (looked.empty() ? "" : ", ") + folder.string();
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
      if (IsDataset(entry->path())) known.push_back(entry->path().filename().string());
  }
  return NotFound("no data set '", name, "' (a folder with a dataset.json) in ", looked,
                  known.empty() ? "" : Suggestion(name, known));
}

}  // namespace

StatusOr<RawDataset> OpenRawDataset(const fs::path& folder) {
  RETURN_IF_ERROR(RequireFolder(folder));
  const fs::path json_path = folder / "dataset.json";
  ASSIGN_OR_RETURN(const Json json, ReadJson(json_path));
  RawDataset dataset;
  ASSIGN_OR_RETURN(dataset.description, ParseDatasetDescription(json, json_path.string()));
  std::error_code error;
  dataset.folder = folder;
  const fs::path absolute = fs::canonical(folder, error);
  dataset.name = (error ? folder : absolute).filename().string();

  const fs::path images = folder / "imagesTr", labels = folder / "labelsTr";
  RETURN_IF_ERROR(RequireFolder(images));
  RETURN_IF_ERROR(RequireFolder(labels));
  const std::string& ending = dataset.description.file_ending;
  ASSIGN_OR_RETURN(auto channels, ChannelsByCase(images, ending));
  ASSIGN_OR_RETURN(const std::vector<std::string> label_names, ListFiles(labels));
  for (const std::string& name : label_names)
    if (const auto id = ParseLabelName(name, ending))
      channels[*id];  // a label without an image is a case too: a faulty one
  for (const auto& [id, present] : channels)
    dataset.cases.push_back({.id = id,
                             .images = ExpectedImages(images, id, present, dataset.description),
                             .label = labels / (id + ending)});
  return dataset;
}

StatusOr<CaseFiles> FindCase(const RawDataset& dataset, const std::string& id) {
  std::vector<std::string> known;
  for (const CaseFiles& files : dataset.cases) {
    if (files.id == id) return files;
    known.push_back(files.id);
  }
  const std::string nearest = NearestWord(id, known);
  return NotFound(dataset.folder.string(), " has no case '", id, "'",
                  nearest.empty() ? "" : "; did you mean '" + nearest + "'?");
}

StatusOr<Image> ReadCaseImage(const CaseFiles& files, std::int64_t num_channels) {
  Image all;
  for (const fs::path& file : files.images) {
    ASSIGN_OR_RETURN(Image part, ReadImage(file));
    if (all.channels == 0) {
      all = std::move(part);
      continue;
    }
    if (part.shape != all.shape || !SameSpacing(part.geometry.spacing, all.geometry.spacing))
      return InvalidArgument(file.string(), " differs in shape or spacing from ", files.images[0].string(),
                             "; all channels of a case must share one grid");
    all.channels += part.channels;
    all.voxels.insert(all.voxels.end(), part.voxels.begin(), part.voxels.end());
  }
  if (all.channels != num_channels)
    return InvalidArgument("case ", files.id, " has ", all.channels, " channels in ", files.images.size(),
                           " files, expected ", num_channels);
  return all;
}

StatusOr<std::vector<CaseFiles>> ListImageFolder(const fs::path& folder, const DatasetDescription& description) {
  RETURN_IF_ERROR(RequireFolder(folder));
  ASSIGN_OR_RETURN(const auto channels, ChannelsByCase(folder, description.file_ending));
  std::vector<CaseFiles> cases;
  for (const auto& [id, present] : channels)
    cases.push_back({.id = id, .images = ExpectedImages(folder, id, present, description), .label = {}});
  if (cases.empty())
    return NotFound(folder.string(), " has no images; expected files like ",
                    ImageNameOf("CASE", 0, description.file_ending));
  return cases;
}

StatusOr<fs::path> FindDataset(const std::string& name, const fs::path& data_folder) {
  if (!data_folder.empty()) {
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
      return PermissionDenied("data set '", name, "': expected the plain name of a folder in ", data_folder.string());
    if (IsDataset(data_folder / name)) return data_folder / name;
    return DatasetNotFound(name, {data_folder});
  }
  if (IsDataset(name)) return fs::path(name);
  const std::vector<fs::path> folders = SearchFolders();
  for (const fs::path& folder : folders)
    if (IsDataset(folder / name)) return folder / name;
  return DatasetNotFound(name, folders);
}

}  // namespace consilium::datasets
