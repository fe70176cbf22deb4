#include "datasets/demo/hippocampus_sites.h"

#include <span>
#include <string>
#include <utility>

#include "comm/base/rng.h"
#include "datasets/image/image_io.h"
#include "datasets/raw/raw_dataset.h"

namespace consilium::datasets {
namespace {

std::string NoteOn(const RawDataset& source, std::size_t sites) {
  return Concat("Cases of ", source.name, ", split at random among ", sites,
                " simulated hospitals. Contrast curve, blur and noise were changed for each, to imitate different "
                "scanners; labels are untouched. No clinical claim.");
}

}  // namespace

StatusOr<DemoSites> MakeHippocampusSites(const HippocampusOptions& options) {
  ASSIGN_OR_RETURN(const RawDataset source, OpenRawDataset(options.source));
  ASSIGN_OR_RETURN(Json description, ReadJson(options.source / "dataset.json"));
  if (source.description.num_channels() != 1)
    return InvalidArgument(options.source.string(), " has ", source.description.num_channels(),
                           " channels; the demonstration's sites are made from data sets of one channel");
  if (options.training_cases < 1 || options.heldout_cases < 1)
    return InvalidArgument("each site needs at least one training and one held-out case, asked for ",
                           options.training_cases, " and ", options.heldout_cases);
  const auto sites = static_cast<std::int64_t>(options.site_names.size());
  const auto available = static_cast<std::int64_t>(source.cases.size());
  if (available / sites < options.training_cases + options.heldout_cases)
    return InvalidArgument(options.source.string(), " has ", available, " cases; ", sites, " sites with ",
                           options.training_cases, " training and ", options.heldout_cases, " held-out cases need ",
                           sites * (options.training_cases + options.heldout_cases), ": ask for fewer");

  const std::string note = NoteOn(source, options.site_names.size());
  if (description.contains("description") && description["description"].is_string())
    description["description"] = description["description"].get<std::string>() + ". Changed: " + note;

  std::vector<CaseFiles> cases = source.cases;
  Rng(options.seed, StreamOf({0x73697465})).Shuffle(std::span(cases));

  SiteFolderWriter::Options writer_options = {
      .output = options.output,
      .dataset = source.name,

      .note = note,
      .description = std::move(description),
      .method = {{"source", source.name}, {"seed", options.seed}, {"assignment", "seeded shuffle of all cases"}}};
  ASSIGN_OR_RETURN(SiteFolderWriter writer,
                   SiteFolderWriter::Create(std::move(writer_options), options.site_names, options.looks));
  std::size_t next = 0;
  for (std::size_t site = 0; site < options.site_names.size(); ++site)
    for (std::int64_t i = 0; i < options.training_cases + options.heldout_cases; ++i, ++next) {
      const CaseFiles& files = cases[next];
      ASSIGN_OR_RETURN(Image image, ReadCaseImage(files, 1));
      ASSIGN_OR_RETURN(const LabelMap labels, ReadLabels(files.label));
      ApplyScannerLook(options.looks[site], RobustRange(image.voxels), options.seed, next, image);
      const SitePart part = i < options.training_cases ? SitePart::kTraining : SitePart::kHeldOut;
      RETURN_IF_ERROR(writer.Add(site, part, files.id, image, labels));
    }
  return writer.Finish();
}

}  // namespace consilium::datasets
