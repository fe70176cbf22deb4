#include "trainer/worker/site_data.h"

#include "datasets/raw/integrity.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

StatusOr<datasets::Split> SplitOf(const datasets::RawDataset& dataset, std::int64_t fold) {
  std::vector<std::string> ids;
  for (const datasets::CaseFiles& one : dataset.cases) ids.push_back(one.id);
  return datasets::SplitFor(std::move(ids), fold);
}

}  // namespace

StatusOr<datasets::RawDataset> OpenSiteDataset(const wire::DataSpec& data, const fs::path& data_dir) {
  ASSIGN_OR_RETURN(const fs::path folder, datasets::FindDataset(data.dataset, data_dir));
  return datasets::OpenRawDataset(folder);
}

StatusOr<SiteData> LoadSiteData(const wire::DataSpec& data, const fs::path& data_dir) {
  SiteData site;
  ASSIGN_OR_RETURN(site.dataset, OpenSiteDataset(data, data_dir));
  RETURN_IF_ERROR(datasets::CheckIntegrity(site.dataset).ToStatus());
  ASSIGN_OR_RETURN(site.split, SplitOf(site.dataset, data.fold));
  ASSIGN_OR_RETURN(site.prepare, datasets::PrepareOptionsFor(site.dataset.description));
  ASSIGN_OR_RETURN(site.train, datasets::LoadPreparedCases(site.dataset, site.split.train, site.prepare));
  ASSIGN_OR_RETURN(site.validation, datasets::LoadPreparedCases(site.dataset, site.split.validation, site.prepare));
  return site;
}

StatusOr<HeldOutCases> FindHeldOut(const datasets::RawDataset& dataset, const wire::DataSpec& data,
                                   const fs::path& data_dir) {
  HeldOutCases held_out;
  const fs::path images = data_dir / "heldout" / "imagesTs", labels = data_dir / "heldout" / "labelsTs";
  if (!fs::is_directory(images)) {
    held_out.source = "validation fold";
    ASSIGN_OR_RETURN(const datasets::Split split, SplitOf(dataset, data.fold));
    for (const std::string& id : split.validation) {
      ASSIGN_OR_RETURN(datasets::CaseFiles files, datasets::FindCase(dataset, id));
      held_out.cases.push_back(std::move(files));
    }
  } else {
    held_out.source = "heldout";
    ASSIGN_OR_RETURN(held_out.cases, datasets::ListImageFolder(images, dataset.description));
    std::string missing;
    for (datasets::CaseFiles& files : held_out.cases) {
      files.label = labels / (files.id + dataset.description.file_ending);
      if (!fs::exists(files.label)) missing += Concat(missing.empty() ? "" : ", ", files.label.string());
    }
    if (!missing.empty()) return InvalidArgument("held-out cases need their true labels; missing: ", missing);
  }
  if (held_out.cases.empty()) return InvalidArgument("there is no case to evaluate on in ", held_out.source);
  return held_out;
}

}  // namespace consilium::trainer
