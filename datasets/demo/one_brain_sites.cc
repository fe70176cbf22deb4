#include "datasets/demo/one_brain_sites.h"

#include <array>
#include <utility>

#include "datasets/image/image_io.h"

namespace consilium::datasets {
namespace {

constexpr char kNote[] =
    "ONE brain, cut into blocks: the left hemisphere is trained on, the right one is held out, no voxel is in both. "
    "It shows that the system works; it says nothing about other people, and makes no clinical claim. "
    "Contrast curve, blur and noise differ by site.";

template <typename T>
std::vector<T> Crop(const std::vector<T>& volume, const Shape3& shape, const Shape3& begin, const Shape3& end) {
  std::vector<T> cropped;
  for (std::int64_t z = begin[0]; z < end[0]; ++z)
    for (std::int64_t y = begin[1]; y < end[1]; ++y) {
      const auto row = volume.begin() + (z * shape[1] + y) * shape[2];
      cropped.insert(cropped.end(), row + begin[2], row + end[2]);
    }
  return cropped;
}

// The block keeps its place in the world: the origin moves to its first voxel.
Geometry CropGeometry(Geometry geometry, const Shape3& begin) {
  const std::array<double, 3> voxel = {static_cast<double>(begin[2]), static_cast<double>(begin[1]),
                                       static_cast<double>(begin[0])};
  const auto place = [&](const Geometry& form, int row) {
    const Affine affine = AffineOf(form);
    double sum = affine[row][3];
    for (int column = 0; column < 3; ++column) sum += affine[row][column] * voxel[column];
    return static_cast<float>(sum);
  };
  const Geometry before = geometry;
  Geometry without_s_form = geometry;
  without_s_form.sform_code = 0;
  for (int row = 0; row < 3; ++row) {
    if (before.sform_code != 0) geometry.srow[row][3] = place(before, row);
    if (before.qform_code != 0) geometry.offset[row] = place(without_s_form, row);
  }
  return geometry;
}

StatusOr<std::filesystem::path> Template(const std::filesystem::path& folder, const char* name) {
  const std::filesystem::path path = folder / name;
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return NotFound(path.string(),
                    " is missing: install the Debian package mricron-data, or give a raw data set instead");
  return path;
}

}  // namespace

StatusOr<DemoSites> MakeOneBrainSites(const OneBrainOptions& options) {
  ASSIGN_OR_RETURN(const std::filesystem::path brain_path, Template(options.templates, "ch2bet.nii.gz"));
  ASSIGN_OR_RETURN(const std::filesystem::path aal_path, Template(options.templates, "aal.nii.gz"));
  ASSIGN_OR_RETURN(const Image brain, ReadImage(brain_path));
  ASSIGN_OR_RETURN(const LabelMap aal, ReadLabels(aal_path));
  if (brain.channels != 1 || brain.shape != aal.shape || !SameGrid(brain.geometry, aal.geometry))
    return InvalidArgument(aal_path.string(), " is not on the grid of ", brain_path.string());
  ASSIGN_OR_RETURN(const LabelMap classes, MergeAalRegions(aal));
  CutOptions cut = options.cut;
  cut.sites = options.site_names.size();
  ASSIGN_OR_RETURN(const std::vector<BrainBlock> blocks, CutBrain(classes, cut));

  Json bounds = Json::object();
  for (const BrainBlock& block : blocks) bounds[block.id] = {{"begin", block.begin}, {"end", block.end}};
  SiteFolderWriter::Options writer_options = {
      .output = options.output,
      .dataset = kOneBrainDataset,
      .note = kNote,
      .description = {{"name", kOneBrainDataset},
                      {"description", kNote},
                      {"reference",
                       "ch2bet (Holmes et al. 1998) and AAL (Tzourio-Mazoyer et al. 2002), package mricron-data"},
                      {"channel_names", {{"0", "MRI"}}},
                      {"labels", {{"background", 0}, {"Cerebrum", 1}, {"Cerebellum", 2}}}},
      .method = {{"source", "mricron-data: ch2bet.nii.gz, aal.nii.gz"},
                 {"seed", cut.seed},
                 {"blocks_zyx", std::move(bounds)}}};
  ASSIGN_OR_RETURN(SiteFolderWriter writer,
                   SiteFolderWriter::Create(std::move(writer_options), options.site_names, options.looks));
  const IntensityRange range =
      RobustRange(brain.voxels);  // of the whole: blocks of air must not be stretched to full range
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const BrainBlock& block = blocks[i];
    const Shape3 shape = {block.end[0] - block.begin[0], block.end[1] - block.begin[1], block.end[2] - block.begin[2]};
    const Geometry geometry = CropGeometry(brain.geometry, block.begin);
    Image image = {.channels = 1,
                   .shape = shape,
                   .voxels = Crop(brain.voxels, brain.shape, block.begin, block.end),
                   .geometry = geometry};
    const LabelMap labels = {
        .shape = shape, .labels = Crop(classes.labels, classes.shape, block.begin, block.end), .geometry = geometry};
    ApplyScannerLook(options.looks[block.site], range, cut.seed, i, image);
    RETURN_IF_ERROR(writer.Add(block.site, block.part, block.id, image, labels));
  }
  return writer.Finish();
}

}  // namespace consilium::datasets
