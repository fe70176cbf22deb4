#include "datasets/statistics/plan_dataset.h"

#include <cstdlib>

#include "comm/base/file.h"
#include "datasets/planner/splits.h"

namespace consilium::datasets {
namespace {

namespace fs = std::filesystem;

// Somebody may have added configurations of their own by hand.
Status KeepOwnConfigurations(const fs::path& file, Json* plans, std::vector<std::string>* notes) {
  std::error_code unused;
  if (!fs::exists(file, unused)) return Status();
  ASSIGN_OR_RETURN(const Json old, ReadJson(file));
  if (!old.is_object() || !old.contains("configurations") || !old["configurations"].is_object()) return Status();
  for (const auto& [name, configuration] : old["configurations"].items()) {
    // What the planner itself makes is replaced, also where this time it makes no cascade.
    if ((*plans)["configurations"].contains(name) || name == "3d_lowres" || name == "3d_cascade_fullres") continue;
    (*plans)["configurations"][name] = configuration;
    notes->push_back("kept configuration '" + name + "' of the plans that were there");
  }
  return Status();
}

Status WriteSplits(const RawDataset& dataset, const fs::path& file, std::vector<std::string>* notes) {
  std::error_code unused;
  if (fs::exists(file, unused)) {
    notes->push_back("kept the splits_final.json that was there");
    return Status();
  }
  const fs::path given = dataset.folder / "splits_final.json";
  if (fs::exists(given, unused)) {
    ASSIGN_OR_RETURN(const Json json, ReadJson(given));
    RETURN_IF_ERROR(SplitsFromJson(json, given.string()).status());
    notes->push_back("took the data set's own splits_final.json");
    return WriteJson(file, json);
  }
  std::vector<std::string> ids;
  for (const CaseFiles& files : dataset.cases) ids.push_back(files.id);
  if (ids.size() < static_cast<std::size_t>(kFolds)) {
    notes->push_back(Concat("no splits_final.json: ", ids.size(), " cases are too few for ", kFolds,
                            " folds; train with fold: all"));
    return Status();
  }
  ASSIGN_OR_RETURN(const std::vector<Split> splits, MakeSplits(std::move(ids)));
  return WriteJson(file, SplitsToJson(splits));
}

}  // namespace

fs::path PreprocessedFolder(const std::string& dataset, const fs::path& preprocessed) {
  if (!preprocessed.empty()) return preprocessed / dataset;
  const char* variable = std::getenv("nnUNet_preprocessed");
  return fs::path(variable != nullptr && *variable != '\0' ? variable : "preprocessed") / dataset;
}

StatusOr<PlannedDataset> WritePlans(const RawDataset& dataset, const fs::path& preprocessed, Json plans) {
  PlannedDataset planned{.folder = PreprocessedFolder(dataset.name, preprocessed), .plans = std::move(plans)};
  RETURN_IF_ERROR(MakeDirectories(planned.folder));
  planned.plans_file = planned.folder / (planned.plans["plans_name"].get<std::string>() + ".json");
  RETURN_IF_ERROR(KeepOwnConfigurations(planned.plans_file, &planned.plans, &planned.notes));
  RETURN_IF_ERROR(WriteSplits(dataset, planned.folder / "splits_final.json", &planned.notes));
  ASSIGN_OR_RETURN(const Json description, ReadJson(dataset.folder / "dataset.json"));
  RETURN_IF_ERROR(WriteJson(planned.folder / "dataset.json", description));
  RETURN_IF_ERROR(WriteJson(planned.plans_file, planned.plans));
  return planned;
}

StatusOr<PlannedDataset> PlanDataset(const RawDataset& dataset, const fs::path& preprocessed,
                                     const PlannerOptions& planner, const FingerprintOptions& options) {
  ASSIGN_OR_RETURN(const DatasetFingerprint fingerprint, ExtractFingerprint(dataset, options));
  ASSIGN_OR_RETURN(const Plans plans, PlanExperiment(FactsOf(dataset), PlanInputOf(fingerprint, planner), planner));
  const fs::path folder = PreprocessedFolder(dataset.name, preprocessed);
  RETURN_IF_ERROR(MakeDirectories(folder));
  RETURN_IF_ERROR(WriteJson(folder / "dataset_fingerprint.json", FingerprintToJson(fingerprint)));
  return WritePlans(dataset, preprocessed, PlansToJson(plans));
}

}  // namespace consilium::datasets
