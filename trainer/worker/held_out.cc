#include "trainer/worker/held_out.h"

#include "trainer/loop/train_data.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

StatusOr<std::vector<datasets::CaseFiles>> ValidationFold(const datasets::RawDataset& dataset, std::int64_t fold) {
  std::vector<datasets::CaseFiles> cases;
  ASSIGN_OR_RETURN(const datasets::Split split, SplitOf(dataset, fold));
  for (const std::string& id : split.validation) {
    ASSIGN_OR_RETURN(datasets::CaseFiles files, datasets::FindCase(dataset, id));
    cases.push_back(std::move(files));
  }
  return cases;
}

StatusOr<std::vector<datasets::CaseFiles>> LabelledFolder(const datasets::RawDataset& dataset, const fs::path& images,
                                                          const fs::path& labels) {
  ASSIGN_OR_RETURN(std::vector<datasets::CaseFiles> cases, datasets::ListImageFolder(images, dataset.description));
  std::string missing;
  for (datasets::CaseFiles& files : cases) {
    files.label = labels / (files.id + dataset.description.file_ending);
    if (!fs::exists(files.label)) missing += Concat(missing.empty() ? "" : ", ", files.label.string());
  }
  if (!missing.empty()) return InvalidArgument("held-out cases need their true labels; missing: ", missing);
  return cases;
}

}  // namespace

StatusOr<HeldOutCases> FindCases(const datasets::RawDataset& dataset, const wire::DataSpec& data,
                                 const fs::path& data_dir, CasesFrom from) {
  HeldOutCases held_out;
  const fs::path folder = data_dir / "heldout";
  if (from == CasesFrom::kHeldOut && fs::is_directory(folder / "imagesTs")) {
    held_out.source = "heldout";
    ASSIGN_OR_RETURN(held_out.cases, LabelledFolder(dataset, folder / "imagesTs", folder / "labelsTs"));
  } else {
    held_out.source = "validation fold";
    ASSIGN_OR_RETURN(held_out.cases, ValidationFold(dataset, data.fold));
  }
  if (held_out.cases.empty()) return InvalidArgument("there is no case to evaluate on (", held_out.source, ")");
  return held_out;
}

}  // namespace consilium::trainer
