#include "datasets/demo/site_folders.h"

#include <algorithm>
#include <utility>

#include "comm/base/file.h"
#include "datasets/image/image_io.h"
#include "datasets/planner/topology.h"

namespace consilium::datasets {
namespace {

namespace fs = std::filesystem;
constexpr char kEnding[] = ".nii.gz";

// The median case, padded to what the network that is planned for it can halve: never refused by `init`.
StatusOr<std::vector<std::int64_t>> SuggestPatch(const std::vector<Shape3>& shapes) {
  std::vector<std::int64_t> patch;
  for (int axis = 0; axis < 3 && !shapes.empty(); ++axis) {
    std::vector<std::int64_t> extents;
    for (const Shape3& shape : shapes) extents.push_back(shape[axis]);
    std::nth_element(extents.begin(), extents.begin() + static_cast<std::ptrdiff_t>(extents.size() / 2), extents.end());
    patch.push_back((extents[extents.size() / 2] + 7) / 8 * 8);
  }
  const std::vector<double> isotropic(patch.size(), 1.0);
  ASSIGN_OR_RETURN(const Topology topology, PlanTopology(isotropic, patch));
  return topology.patch;
}

}  // namespace

std::vector<std::string> DefaultSiteNames(std::size_t sites) {
  CONSILIUM_CHECK(sites <= kDemoSitesMax, "the demonstration has names for ", kDemoSitesMax, " sites");
  std::vector<std::string> names = {"alder", "birch", "cedar", "dogwood", "elder"};
  names.resize(sites);
  return names;
}

Json ToJson(const DemoSites& sites) {
  Json json = {{"dataset", sites.dataset},
               {"note", sites.note},
               {"suggested_patch_size", sites.suggested_patch_size},
               {"sites", Json::array()}};
  for (const DemoSite& site : sites.sites)
    json["sites"].push_back({{"name", site.name},
                             {"dataset", site.dataset.string()},
                             {"heldout_images", site.heldout_images.string()},
                             {"heldout_labels", site.heldout_labels.string()},
                             {"look", ToJson(site.look)},
                             {"training_cases", site.training_cases},
                             {"heldout_cases", site.heldout_cases}});
  return json;
}

StatusOr<SiteFolderWriter> SiteFolderWriter::Create(Options options, const std::vector<std::string>& names,
                                                    const std::vector<ScannerLook>& looks) {
  CONSILIUM_CHECK(!names.empty() && names.size() == looks.size(), names.size(), " names, ", looks.size(), " looks");
  std::error_code error;
  options.output = fs::absolute(options.output, error).lexically_normal();
  if (!options.output.has_filename()) options.output = options.output.parent_path();
  if (fs::exists(options.output, error) && !fs::is_empty(options.output, error))
    return InvalidArgument(options.output.string(), " already holds something; give a folder that is empty or absent");
  fs::path partial = options.output;
  partial += ".partial";
  fs::remove_all(partial, error);  // of an earlier run that was killed
  SiteFolderWriter writer(std::move(options), partial);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const fs::path site = names[i];
    writer.made_.sites.push_back({.name = names[i],
                                  .look = looks[i],
                                  .dataset = site / writer.options_.dataset,
                                  .heldout_images = site / "heldout" / "imagesTs",
                                  .heldout_labels = site / "heldout" / "labelsTs"});
    const DemoSite& made = writer.made_.sites.back();
    for (const fs::path& folder :
         {made.dataset / "imagesTr", made.dataset / "labelsTr", made.heldout_images, made.heldout_labels})
      RETURN_IF_ERROR(MakeDirectories(partial / folder));
  }
  return writer;
}

SiteFolderWriter::SiteFolderWriter(Options options, fs::path partial)
    : options_(std::move(options)), partial_(std::move(partial)) {
  made_.dataset = options_.dataset;
  made_.note = options_.note;
}

SiteFolderWriter::SiteFolderWriter(SiteFolderWriter&& other) noexcept
    : options_(std::move(other.options_)),
      partial_(std::exchange(other.partial_, fs::path())),
      made_(std::move(other.made_)),
      shapes_(std::move(other.shapes_)) {}

SiteFolderWriter::~SiteFolderWriter() {
  std::error_code ignored;
  if (!partial_.empty()) fs::remove_all(partial_, ignored);
}

Status SiteFolderWriter::Add(std::size_t site, SitePart part, const std::string& id, const Image& image,
                             const LabelMap& labels) {
  DemoSite& to = made_.sites.at(site);
  const bool training = part == SitePart::kTraining;
  const fs::path images = training ? to.dataset / "imagesTr" : to.heldout_images;
  const fs::path labels_folder = training ? to.dataset / "labelsTr" : to.heldout_labels;
  RETURN_IF_ERROR(WriteImage(partial_ / images / (id + "_0000" + kEnding), image));
  RETURN_IF_ERROR(WriteLabels(partial_ / labels_folder / (id + kEnding), labels));
  (training ? to.training_cases : to.heldout_cases).push_back(id);
  shapes_.push_back(image.shape);
  return {};
}

StatusOr<DemoSites> SiteFolderWriter::Finish() {
  ASSIGN_OR_RETURN(made_.suggested_patch_size, SuggestPatch(shapes_));
  for (DemoSite& site : made_.sites) {
    std::ranges::sort(site.training_cases);
    std::ranges::sort(site.heldout_cases);
    Json description = options_.description;
    description["numTraining"] = site.training_cases.size();
    description["file_ending"] = kEnding;
    RETURN_IF_ERROR(WriteJson(partial_ / site.dataset / "dataset.json", description));
  }
  Json json = ToJson(made_);
  json["method"] = options_.method;
  RETURN_IF_ERROR(WriteJson(partial_ / "sites.json", json));

  std::error_code error;
  fs::remove(options_.output, error);  // an empty folder, if any
  fs::rename(partial_, options_.output, error);
  if (error)
    return ErrnoStatus(error.value(), Concat("renaming ", partial_.string(), " to ", options_.output.string()));
  partial_.clear();
  for (DemoSite& site : made_.sites)
    for (fs::path* path : {&site.dataset, &site.heldout_images, &site.heldout_labels}) *path = options_.output / *path;
  return std::move(made_);
}

}  // namespace consilium::datasets
