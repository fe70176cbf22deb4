#include "trainer/loop/train_data.h"

#include <algorithm>
#include <cstdlib>

#include "comm/base/log.h"
#include "datasets/raw/integrity.h"
#include "trainer/models/model_card.h"

namespace consilium::trainer {

namespace fs = std::filesystem;

StatusOr<datasets::Split> SplitOf(const datasets::RawDataset& dataset, std::int64_t fold) {
  std::vector<std::string> ids;
  for (const datasets::CaseFiles& files : dataset.cases) ids.push_back(files.id);
  const char* preprocessed = std::getenv("nnUNet_preprocessed");
  const fs::path path =
      preprocessed != nullptr ? fs::path(preprocessed) / dataset.name / "splits_final.json" : fs::path();
  std::error_code error;
  if (fold == datasets::kAllCases || path.empty() || !fs::exists(path, error)) return datasets::SplitFor(ids, fold);
  ASSIGN_OR_RETURN(const Json json, ReadJson(path));
  ASSIGN_OR_RETURN(const std::vector<datasets::Split> splits, datasets::SplitsFromJson(json, path.string()));
  if (fold >= static_cast<std::int64_t>(splits.size()))
    return InvalidArgument("data.fold is ", fold, ", but ", path.string(), " has folds 0 to ", splits.size() - 1);
  return splits[static_cast<std::size_t>(fold)];
}

StatusOr<TrainData> LoadTrainData(const wire::JobSpec& job, const fs::path& data_folder) {
  ASSIGN_OR_RETURN(const fs::path folder, datasets::FindDataset(job.data.dataset, data_folder));
  TrainData data;
  ASSIGN_OR_RETURN(data.dataset, datasets::OpenRawDataset(folder));
  const datasets::IntegrityReport report = datasets::CheckIntegrity(data.dataset);
  RETURN_IF_ERROR(report.ToStatus());
  for (const datasets::Finding& warning : report.warnings)
    Log(LogLevel::kWarning, "data", {{"case", warning.case_id}, {"file", warning.file}, {"fault", warning.fault}});
  ASSIGN_OR_RETURN(data.split, SplitOf(data.dataset, job.data.fold));
  ASSIGN_OR_RETURN(data.prepare, PrepareOptionsOf(job, data.dataset.description));
  ASSIGN_OR_RETURN(data.train, datasets::LoadPreparedCases(data.dataset, data.split.train, data.prepare));
  ASSIGN_OR_RETURN(data.validation, datasets::LoadPreparedCases(data.dataset, data.split.validation, data.prepare));
  return data;
}

}  // namespace consilium::trainer
