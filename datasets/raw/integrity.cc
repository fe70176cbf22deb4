#include "datasets/raw/integrity.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <optional>

#include "datasets/image/image_io.h"
#include "datasets/raw/file_names.h"

namespace consilium::datasets {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLinesMax = 50;       // of a report as text
constexpr std::size_t kLabelValuesMax = 5;  // findings a label file: a CT saved as label has thousands of values

std::string ShapeText(const Shape3& shape) { return Concat(shape[0], "x", shape[1], "x", shape[2], " (z, y, x)"); }
std::string SpacingText(const Spacing3& s) { return Concat(s[0], "x", s[1], "x", s[2], " mm (z, y, x)"); }
bool Exists(const fs::path& path) {
  std::error_code unused;
  return fs::exists(path, unused);
}

// What must agree between the files of a case.
struct Grid {
  fs::path file;
  Shape3 shape;
  Geometry geometry;
};

class Checker {
 public:
  explicit Checker(const RawDataset& dataset) : dataset_(dataset) { report_.dataset = dataset.name; }

  IntegrityReport Run() && {
    CheckFolders();
    for (const CaseFiles& files : dataset_.cases) CheckCase(files);
    report_.cases_checked = static_cast<std::int64_t>(dataset_.cases.size());
    CheckDimensions();
    return std::move(report_);
  }

 private:
  void Fault(const std::string& id, const fs::path& file, std::string fault, std::string mend) {
    report_.faults.push_back({id, Relative(file), std::move(fault), std::move(mend)});
  }
  void Warn(const std::string& id, const fs::path& file, std::string fault, std::string mend) {
    report_.warnings.push_back({id, Relative(file), std::move(fault), std::move(mend)});
  }
  fs::path Relative(const fs::path& file) const { return file.lexically_relative(dataset_.folder); }

  // The reader's message starts with the whole path, which the finding names already.
  void Unreadable(const std::string& id, const fs::path& file, const Status& status) {
    std::string fault = status.message();
    if (fault.starts_with(file.string())) fault.erase(0, file.string().size());
    const std::size_t begin = fault.find_first_not_of(": ");
    Fault(id, file, "cannot be read: " + (begin == std::string::npos ? fault : fault.substr(begin)),
          "replace the file, or leave the case out");
  }

  void CheckFolders();
  void CheckStrayFile(const fs::path& file, const std::optional<std::string>& id_of_other_ending);
  void CheckCase(const CaseFiles& files);
  std::optional<Grid> CheckImages(const CaseFiles& files);
  void CheckFinite(const std::string& id, const fs::path& file, const Image& image);
  void CheckLabel(const CaseFiles& files, const std::optional<Grid>& image);
  void CheckValues(const CaseFiles& files, const LabelMap& labels);
  void CheckSameGrid(const std::string& id, const Grid& expected, const Grid& found);
  void CheckDimensions();

  const RawDataset& dataset_;
  IntegrityReport report_;
  std::vector<std::string> flat_cases_, volume_cases_;
};

void Checker::CheckFolders() {
  const fs::path json = dataset_.folder / "dataset.json";
  const auto num_cases = static_cast<std::int64_t>(dataset_.cases.size());
  const std::string& ending = dataset_.description.file_ending;
  if (num_cases == 0)
    Fault("", dataset_.folder / "imagesTr", "holds no case", "add files like " + ImageNameOf("CASE", 0, ending));
  if (num_cases != dataset_.description.num_training)
    Fault("", json,
          Concat("numTraining is ", dataset_.description.num_training, ", but ", num_cases, " cases were found"),
          "correct numTraining, or add the cases that are missing");

  std::map<std::string, std::string> lower;  // lower-cased id -> id
  for (const CaseFiles& files : dataset_.cases) {
    std::string key = files.id;
    std::transform(key.begin(), key.end(), key.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto [other, is_new] = lower.emplace(key, files.id);
    if (!is_new)
      Fault(files.id, files.images[0], "is the same case id as " + other->second + " but for upper and lower case",
            "rename one: some file systems take them for one file");
  }
  for (const char* folder : {"imagesTr", "labelsTr"}) {
    const StatusOr<std::vector<std::string>> names = ListFiles(dataset_.folder / folder);
    if (!names.ok()) continue;  // opening the data set listed them a moment ago; their files will be missed below
    const bool is_image = folder[0] == 'i';
    for (const std::string& name : *names) {
      const fs::path file = dataset_.folder / folder / name;
      const std::optional<ImageName> image = is_image ? ParseImageName(name, ending) : std::nullopt;
      if (image && image->channel >= dataset_.description.num_channels())
        Fault(image->id, file,
              Concat("channel ", image->channel, " is not declared; dataset.json names ",
                     dataset_.description.num_channels(), " channels"),
              "remove the file, or name the channel in channel_names");
      if (image || (!is_image && ParseLabelName(name, ending))) continue;
      const std::string other = ImageEndingOf(name);
      std::optional<std::string> id;
      if (!other.empty() && is_image)
        if (const auto parsed = ParseImageName(name, other)) id = parsed->id;
      if (!other.empty() && !is_image) id = ParseLabelName(name, other);
      CheckStrayFile(file, id);
    }
  }
}

// A file that fits no case: harmless, unless it may be meant as a case that is already there.
void Checker::CheckStrayFile(const fs::path& file, const std::optional<std::string>& id_of_other_ending) {
  const std::string& ending = dataset_.description.file_ending;
  const bool is_twice =
      id_of_other_ending && std::any_of(dataset_.cases.begin(), dataset_.cases.end(),
                                        [&](const CaseFiles& f) { return f.id == *id_of_other_ending; });
  if (is_twice) {
    Fault(*id_of_other_ending, file, "is a second file of a case that has one ending in " + ending,
          "remove the one that is out of date");
  } else {
    Warn("", file, "is ignored: its name does not fit CASE_CCCC" + ending + " (image) or CASE" + ending + " (label)",
         "rename or remove it");
  }
}

void Checker::CheckCase(const CaseFiles& files) {
  const std::optional<Grid> image = CheckImages(files);
  CheckLabel(files, image);
  if (image) (image->shape[0] == 1 ? flat_cases_ : volume_cases_).push_back(files.id);
}

// The grid of the first channel that can be read.
std::optional<Grid> Checker::CheckImages(const CaseFiles& files) {
  std::optional<Grid> first;
  std::int64_t num_channels = 0;
  const bool is_absent = std::none_of(files.images.begin(), files.images.end(), &Exists);
  if (is_absent) {
    Fault(files.id, files.label, "is a label without an image",
          "add " + Relative(files.images[0]).string() + ", or remove the label");
    return std::nullopt;
  }
  bool is_complete = true;
  for (std::size_t channel = 0; channel < files.images.size(); ++channel) {
    const fs::path& file = files.images[channel];
    if (!Exists(file)) {
      Fault(files.id, file,
            Concat("is missing: channel ", channel, " (", dataset_.description.channel_names[channel], ")"),
            "add the file, or leave the case out");
      is_complete = false;
      continue;
    }
    const StatusOr<Image> image = ReadImage(file);
    if (!image.ok()) {
      Unreadable(files.id, file, image.status());
      is_complete = false;
      continue;
    }
    num_channels += image->channels;
    CheckFinite(files.id, file, *image);
    const Grid grid{file, image->shape, image->geometry};
    if (first) {
      CheckSameGrid(files.id, *first, grid);
    } else {
      first = grid;
    }
  }
  if (is_complete && num_channels != dataset_.description.num_channels())
    Fault(files.id, files.images[0],
          Concat("holds ", num_channels, " channels, but dataset.json names ", dataset_.description.num_channels()),
          "correct channel_names, or convert the image");
  return first;
}

void Checker::CheckFinite(const std::string& id, const fs::path& file, const Image& image) {
  const auto count = std::count_if(image.voxels.begin(), image.voxels.end(), [](float v) { return !std::isfinite(v); });
  if (count > 0)
    Fault(id, file, Concat(count, " of ", image.voxels.size(), " voxels are NaN or infinite"),
          "replace them (for example by 0 outside the scanned region), or leave the case out");
}

void Checker::CheckLabel(const CaseFiles& files, const std::optional<Grid>& image) {
  if (!Exists(files.label)) {
    Fault(files.id, files.label, "is missing: the image has no label", "add the label, or leave the case out");
    return;
  }
  const StatusOr<LabelMap> labels = ReadLabels(files.label);
  if (!labels.ok()) {
    Unreadable(files.id, files.label, labels.status());
    return;
  }
  CheckValues(files, *labels);
  if (image) CheckSameGrid(files.id, *image, {files.label, labels->shape, labels->geometry});
}

void Checker::CheckValues(const CaseFiles& files, const LabelMap& labels) {
  const std::int64_t num_classes = dataset_.description.num_classes();
  std::map<std::int16_t, std::int64_t> undeclared;  // value -> voxels
  for (const std::int16_t value : labels.labels)
    if (value < 0 || value >= num_classes) ++undeclared[value];
  std::size_t reported = 0;
  for (const auto& [value, voxels] : undeclared) {
    if (++reported > kLabelValuesMax) {
      Fault(files.id, files.label,
            Concat("holds ", undeclared.size() - kLabelValuesMax, " more values that are not declared"),
            "check that this is a label and not an image");
      return;
    }
    Fault(files.id, files.label,
          Concat("holds the value ", value, " in ", voxels, " voxels; dataset.json declares 0 to ", num_classes - 1),
          "correct the label, or declare the value in labels");
  }
}

void Checker::CheckSameGrid(const std::string& id, const Grid& expected, const Grid& found) {
  const std::string other = Relative(expected.file).string();
  if (found.shape != expected.shape) {
    Fault(id, found.file,
          "has the shape " + ShapeText(found.shape) + ", but " + other + " has " + ShapeText(expected.shape),
          "resample one onto the other's grid, or leave the case out");
  } else if (!SameSpacing(found.geometry.spacing, expected.geometry.spacing)) {
    Fault(id, found.file,
          "has the spacing " + SpacingText(found.geometry.spacing) + ", but " + other + " has " +
              SpacingText(expected.geometry.spacing),
          "correct the header, or resample one onto the other's grid");
  } else if (!SameGrid(found.geometry, expected.geometry)) {
    Warn(id, found.file, "has another origin or direction than " + other, "check that they show the same place");
  }
}

void Checker::CheckDimensions() {
  if (flat_cases_.empty() || volume_cases_.empty()) return;
  const bool are_flat_fewer = flat_cases_.size() <= volume_cases_.size();
  const std::vector<std::string>& fewer = are_flat_fewer ? flat_cases_ : volume_cases_;
  std::string names;
  for (std::size_t i = 0; i < std::min<std::size_t>(fewer.size(), 5); ++i) names += (i == 0 ? "" : ", ") + fewer[i];
  if (fewer.size() > 5) names += ", ...";
  Fault("", dataset_.folder / "imagesTr",
        Concat("mixes ", flat_cases_.size(), " flat images (2D) with ", volume_cases_.size(), " volumes (3D); the ",
               are_flat_fewer ? "flat ones: " : "volumes: ", names),
        "make two data sets of them");
}

Json FindingsToJson(const std::vector<Finding>& findings) {
  Json json = Json::array();
  for (const Finding& finding : findings)
    json.push_back(
        {{"case", finding.case_id}, {"file", finding.file.string()}, {"fault", finding.fault}, {"mend", finding.mend}});
  return json;
}

}  // namespace

Status IntegrityReport::ToStatus() const {
  if (ok()) return Status();
  std::string text = Concat(dataset, ": ", faults.size(), faults.size() == 1 ? " fault" : " faults", " (",
                            cases_checked, " cases checked)");
  for (std::size_t i = 0; i < std::min(faults.size(), kLinesMax); ++i) {
    const Finding& f = faults[i];
    text += Concat("\n  ", f.case_id.empty() ? "" : f.case_id + ": ", f.file.string(), " ", f.fault, "; ", f.mend);
  }
  if (faults.size() > kLinesMax) text += Concat("\n  ... and ", faults.size() - kLinesMax, " more");
  return InvalidArgument(text);
}

Json IntegrityReport::ToJson() const {
  return {{"dataset", dataset},
          {"cases_checked", cases_checked},
          {"faults", FindingsToJson(faults)},
          {"warnings", FindingsToJson(warnings)}};
}

IntegrityReport CheckIntegrity(const RawDataset& dataset) { return Checker(dataset).Run(); }

}  // namespace consilium::datasets
