#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "comm/base/file.h"
#include "datasets/planner/federated_plan.h"
#include "datasets/raw/integrity.h"
#include "datasets/statistics/case_progress.h"
#include "datasets/statistics/plan_dataset.h"
#include "datasets/statistics/verbs.h"

namespace consilium::datasets {
namespace {

struct Options {
  std::string dataset, output, planner = "default", spacing;
  std::vector<std::string> statistics;
  double gpu_memory_gb = 0, memory_gb = 4;
  std::int64_t threads = 0;
  bool trust_dataset = false;
};

StatusOr<PlannerOptions> PlannerOptionsOf(const Options& options) {
  PlannerOptions planner{.memory_gb = options.gpu_memory_gb};
  ASSIGN_OR_RETURN(planner.preset, PlannerPresetNamed(options.planner));
  if (!(options.gpu_memory_gb >= 0 && std::isfinite(options.gpu_memory_gb)))
    return InvalidArgument("--gpu-memory is ", options.gpu_memory_gb,
                           "; expected GB, or 0 for the planner's own target");
  if (options.spacing.empty()) return planner;
  std::array<double, 3> spacing{};
  std::istringstream in(options.spacing);
  char comma = ',';
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (axis > 0 && !(in >> comma && comma == ',')) in.setstate(std::ios::failbit);
    in >> spacing[axis];
    if (!in || !(spacing[axis] > 0))
      return InvalidArgument("--spacing is '", options.spacing, "'; expected mm as Z,Y,X");
  }
  if (in.peek() != std::istringstream::traits_type::eof())
    return InvalidArgument("--spacing is '", options.spacing, "'; expected three numbers, mm as Z,Y,X");
  planner.target_spacing = spacing;
  return planner;
}

StatusOr<SiteStatistics> ReadMerged(const std::vector<std::string>& files) {
  std::optional<SiteStatistics> sum;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file, kStatisticsBytesMax));
    StatusOr<SiteStatistics> site = DecodeStatistics(AsBytes(bytes));
    if (!site.ok()) return InvalidArgument(file, ": ", site.status().message());
    if (!sum) {
      sum = *std::move(site);
    } else {
      RETURN_IF_ERROR(Annotate(Merge(*site, &*sum), file));
    }
  }
  return *std::move(sum);
}

std::string Joined(const Json& numbers) {
  std::string text;
  for (const Json& number : numbers) {
    std::ostringstream one;
    one.precision(4);
    one << number.get<double>();
    text += (text.empty() ? "" : " x ") + one.str();
  }
  return text;
}

void PrintPlans(const PlannedDataset& planned) {
  for (const auto& [name, configuration] : planned.plans["configurations"].items()) {
    if (!configuration.contains("patch_size")) continue;  // inherits from another
    std::cerr << "  " << name << ": patch " << Joined(configuration["patch_size"]) << ", batch "
              << configuration["batch_size"] << ", spacing " << Joined(configuration["spacing"]) << " mm, median image "
              << Joined(configuration["median_image_size_in_voxels"]);
    if (configuration.contains("architecture"))
      std::cerr << ", " << configuration["architecture"]["arch_kwargs"]["n_stages"] << " stages";
    std::cerr << "\n";
  }
  for (const std::string& note : planned.notes) std::cerr << "  note: " << note << "\n";
  std::cerr << "Wrote " << planned.plans_file.string() << "\n";
}

Status Plan(const Options& options, bool json_wanted) {
  ASSIGN_OR_RETURN(const PlannerOptions planner, PlannerOptionsOf(options));
  ASSIGN_OR_RETURN(CaseLoopOptions loop, LoopOptionsOf(options.threads, options.memory_gb));
  ASSIGN_OR_RETURN(const std::filesystem::path folder, FindDataset(options.dataset));
  ASSIGN_OR_RETURN(const RawDataset dataset, OpenRawDataset(folder));
  CaseProgress progress;
  StatusOr<PlannedDataset> planned = Status(StatusCode::kFailed, "not planned");
  if (!options.statistics.empty()) {
    ASSIGN_OR_RETURN(const SiteStatistics merged, ReadMerged(options.statistics));
    if (merged.channel_names != dataset.description.channel_names ||
        merged.labels.size() != dataset.description.labels.size())
      return InvalidArgument("the statistics are of ", merged.channel_names.size(), " channels and ",
                             merged.labels.size(), " labels, other than those of ", dataset.name,
                             "; give the data set that the sites share");
    ASSIGN_OR_RETURN(Json plans, PlanFromStatistics(merged, dataset.name, planner));
    planned = WritePlans(dataset, options.output, std::move(plans));
  } else {
    if (!options.trust_dataset) {
      std::cerr << "Checking " << dataset.cases.size() << " cases of " << dataset.name << "\n";
      const IntegrityReport report = CheckIntegrity(dataset);
      for (const Finding& warning : report.warnings)
        std::cerr << "  warning: " << warning.file.string() << " " << warning.fault << "; " << warning.mend << "\n";
      RETURN_IF_ERROR(report.ToStatus());
    }
    loop.on_case = [&](const std::string& id, std::int64_t done, std::int64_t total) {
      progress.Show(id, done, total);
    };
    planned = PlanDataset(dataset, options.output, planner, {.loop = loop});
  }
  RETURN_IF_ERROR(planned.status());
  PrintPlans(*planned);
  if (json_wanted)
    Command::PrintJson({{"dataset", dataset.name},
                        {"folder", planned->folder.string()},
                        {"plans_file", planned->plans_file.string()},
                        {"plans_digest", PlanDigest(planned->plans).ToHex()},
                        {"plans", planned->plans},
                        {"notes", planned->notes},
                        {"seconds", progress.seconds()}});
  return Status();
}

}  // namespace

int PlanVerb(const Arguments& arguments) {
  Options options;
  Command command(
      "consilium plan",
      "Checks a raw data set, measures it and plans its networks as nnU-Net does: patch sizes, batch sizes, spacings,\n"
      "normalisation. Writes dataset_fingerprint.json, nnUNetPlans.json, splits_final.json and dataset.json into\n"
      "PREPROCESSED/DatasetNNN_Name, which nnU-Net can read too. With --statistics the plan is that of a federation:\n"
      "it comes from what the sites said (consilium statistics), and DATASET gives the name, labels and splits.",
      "consilium plan Dataset004_Hippocampus --output preprocessed");
  command.Positional("DATASET", &options.dataset, "folder, or name below $nnUNet_raw or $CONSILIUM_DATA");
  command.Option("--output,-o", &options.output,
                 "PREPROCESSED folder; default: $nnUNet_preprocessed, else preprocessed");
  command.Option("--planner", &options.planner, "default, resenc, resenc-m, resenc-l or resenc-xl");
  command.Option("--gpu-memory", &options.gpu_memory_gb, "GB to plan for; 0: what the planner was made for");
  command.Option("--spacing", &options.spacing, "target spacing in mm as Z,Y,X, instead of the data set's");
  command.Option("--statistics", &options.statistics, "file of a site's statistics; give it once for each site");
  command.Option("--threads", &options.threads, "0: one for each core");
  command.Option("--memory", &options.memory_gb, "GB that cases being measured may take together");
  command.Flag("--trust", &options.trust_dataset, "skip the integrity check");
  return command.Run(arguments, [&] { return Plan(options, command.json()); });
}

}  // namespace consilium::datasets
