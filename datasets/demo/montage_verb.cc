#include <algorithm>
#include <filesystem>
#include <iostream>
#include <utility>

#include "comm/base/command.h"
#include "comm/base/json.h"
#include "datasets/demo/montage.h"
#include "datasets/demo/verbs.h"
#include "datasets/image/image_io.h"
#include "datasets/raw/raw_dataset.h"

namespace consilium::datasets {
namespace {

namespace fs = std::filesystem;

struct Group {
  std::string name;  // empty when there is only one
  fs::path images, labels, predictions;
};

// "alder=a/imagesTs,a/labelsTs,out/alder"
StatusOr<Group> ParseGroup(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::size_t first = equals == std::string::npos ? equals : text.find(',', equals);
  const std::size_t second = first == std::string::npos ? first : text.find(',', first + 1);
  if (second == std::string::npos || equals == 0 || text.find(',', second + 1) != std::string::npos)
    return InvalidArgument("--site ", text, ": expected NAME=IMAGES,LABELS,PREDICTIONS, three folders");
  return Group{.name = text.substr(0, equals),
               .images = text.substr(equals + 1, first - equals - 1),
               .labels = text.substr(first + 1, second - first - 1),
               .predictions = text.substr(second + 1)};
}

// The first `cases_max` predictions by name, each with its image and truth.
Status AddRows(const Group& group, std::int64_t cases_max, std::vector<MontageRow>& rows) {
  std::error_code error;
  std::vector<fs::path> predictions;
  for (const fs::directory_entry& entry : fs::directory_iterator(group.predictions, error))
    if (!ImageEndingOf(entry.path()).empty()) predictions.push_back(entry.path());
  if (error) return ErrnoStatus(error.value(), Concat("reading the folder ", group.predictions.string()));
  if (predictions.empty()) return InvalidArgument(group.predictions.string(), " holds no predictions");
  std::ranges::sort(predictions);
  if (static_cast<std::int64_t>(predictions.size()) > cases_max)
    predictions.resize(static_cast<std::size_t>(cases_max));
  for (const fs::path& path : predictions) {
    const std::string ending = ImageEndingOf(path), file = path.filename().string();
    const std::string id = file.substr(0, file.size() - ending.size());
    MontageRow row = {.title = group.name.empty() ? id : group.name + "\n" + id};
    ASSIGN_OR_RETURN(row.image, ReadImage(group.images / (id + "_0000" + ending)));
    ASSIGN_OR_RETURN(row.truth, ReadLabels(group.labels / file));
    ASSIGN_OR_RETURN(row.prediction, ReadLabels(path));
    rows.push_back(std::move(row));
  }
  return {};
}

// Foreground classes in the order of their values.
StatusOr<std::vector<std::string>> ClassNames(const fs::path& dataset_json) {
  ASSIGN_OR_RETURN(const Json json, ReadJson(dataset_json));
  ASSIGN_OR_RETURN(const DatasetDescription description, ParseDatasetDescription(json, dataset_json.string()));
  std::vector<std::string> names;
  for (const auto& [name, value] : description.labels) {
    if (value <= 0) continue;
    names.resize(std::max(names.size(), static_cast<std::size_t>(value)));
    names[static_cast<std::size_t>(value - 1)] = name;
  }
  return names;
}

}  // namespace

int MontageVerb(const Arguments& arguments) {
  std::string images, labels, predictions, output, dataset, heading;
  std::vector<std::string> sites;
  std::int64_t cases_max = 2;
  Command command(
      "consilium montage",
      "Draws image, truth and prediction side by side, a row a case, into one PNG. Shown are the first cases by name.",
      "consilium montage --images imagesTs --labels labelsTs --predictions out --output montage.png");
  command.Option("--images", &images, "folder of CASE_0000.nii.gz");
  command.Option("--labels", &labels, "folder of CASE.nii.gz, the truth");
  command.Option("--predictions", &predictions, "folder of CASE.nii.gz");
  command.Option("--site", &sites, "NAME=IMAGES,LABELS,PREDICTIONS instead of the three above; may be repeated");
  command.Option("--dataset", &dataset, "dataset.json, or the folder that holds it, for the names of the classes");
  command.Option("--cases", &cases_max, "rows for each site");
  command.Option("--heading", &heading, "text above the picture");
  command.Option("--output,-o", &output, "PNG file to write", true);
  return command.Run(arguments, [&]() -> Status {
    std::vector<Group> groups;
    for (const std::string& site : sites) {
      ASSIGN_OR_RETURN(Group group, ParseGroup(site));
      groups.push_back(std::move(group));
    }
    if (groups.empty() == (images.empty() || labels.empty() || predictions.empty()))
      return InvalidArgument("give --images, --labels and --predictions together, or --site once for each site");
    if (groups.empty()) groups.push_back({.name = "", .images = images, .labels = labels, .predictions = predictions});
    if (cases_max < 1) return InvalidArgument("--cases must be at least 1, is ", cases_max);

    MontageOptions options = {.heading = heading};
    if (!dataset.empty()) {
      const fs::path path = fs::is_directory(dataset) ? fs::path(dataset) / "dataset.json" : fs::path(dataset);
      ASSIGN_OR_RETURN(options.class_names, ClassNames(path));
    }
    std::vector<MontageRow> rows;
    for (const Group& group : groups) RETURN_IF_ERROR(AddRows(group, cases_max, rows));
    RETURN_IF_ERROR(WriteMontage(output, rows, options));
    std::cerr << "wrote " << output << ", " << rows.size() << " cases\n";
    if (command.json()) Command::PrintJson({{"montage", output}, {"cases", rows.size()}});
    return {};
  });
}

}  // namespace consilium::datasets
