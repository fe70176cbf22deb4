#include <iostream>

#include "comm/base/file.h"
#include "datasets/statistics/case_progress.h"
#include "datasets/statistics/compute_statistics.h"
#include "datasets/statistics/verbs.h"

namespace consilium::datasets {
namespace {

struct Options {
  std::string dataset, output, report;
  std::int64_t cases_min = StatisticsOptions().cases_min;
  std::int64_t threads = 0;
  double memory_gb = 4;
};

std::string Range(const Json& quantiles) {
  if (quantiles.is_null()) return "withheld";
  return Concat(quantiles["p05"].get<double>(), " to ", quantiles["p95"].get<double>(), ", median ",
                quantiles["median"].get<double>());
}

void PrintReport(const Json& report) {
  std::cerr << report["cases"] << " cases; nothing is said of fewer than " << report["cases_min"] << "\n";
  for (const auto& [what, unit] : {std::pair{"spacing_mm", " mm"}, {"shape_voxels", " voxels"}})
    for (const auto& [axis, quantiles] : report[what].items())
      std::cerr << "  " << what << " " << axis << ": " << Range(quantiles) << unit << "\n";
  for (const Json& channel : report["channels"])
    std::cerr << "  channel " << channel["name"] << ": foreground " << Range(channel["foreground_intensity"]) << " in "
              << channel["cases_with_foreground"] << " cases\n";
  for (const Json& label : report["labels"])
    std::cerr << "  label " << label["name"] << ": " << Range(label["volume"]) << " mm3 (flat images: mm2) in "
              << label["cases_at_least"] << " cases"
              << (label["sites_that_withheld"] != 0 ? " (a few more were withheld)" : "") << "\n";
}

Status ComputeAndWrite(const Options& options, bool json_wanted) {
  if (options.cases_min < 1 || options.cases_min > 1'000'000)
    return InvalidArgument("--cases-min is ", options.cases_min, "; expected at least 1");
  StatisticsOptions statistics_options{.cases_min = static_cast<std::uint32_t>(options.cases_min)};
  ASSIGN_OR_RETURN(statistics_options.loop, LoopOptionsOf(options.threads, options.memory_gb));
  ASSIGN_OR_RETURN(const std::filesystem::path folder, FindDataset(options.dataset));
  ASSIGN_OR_RETURN(const RawDataset dataset, OpenRawDataset(folder));
  CaseProgress progress;
  statistics_options.loop.on_case = [&](const std::string& id, std::int64_t done, std::int64_t total) {
    progress.Show(id, done, total);
  };
  ASSIGN_OR_RETURN(const SiteStatistics statistics, ComputeSiteStatistics(dataset, statistics_options));
  const Bytes bytes = EncodeStatistics(statistics);
  if (!options.output.empty()) RETURN_IF_ERROR(WriteFileAtomic(options.output, bytes));
  const Json report = StatisticsReport(statistics);
  if (!options.report.empty()) RETURN_IF_ERROR(WriteJson(options.report, report));
  PrintReport(report);
  std::cerr << bytes.size() << " bytes" << (options.output.empty() ? " would be sent" : " in " + options.output)
            << "\n";
  if (json_wanted) Command::PrintJson(report);
  return Status();
}

}  // namespace

int StatisticsVerb(const Arguments& arguments) {
  Options options;
  Command command(
      "consilium statistics",
      "What this site would say about its data so that a federation can plan together: sums and histograms over its\n"
      "cases, in which nothing is shown that fewer than --cases-min cases share. Look at it before you agree to send "
      "it.",
      "consilium statistics Dataset004_Hippocampus --output hospital-a.statistics --report hospital-a.json");
  command.Positional("DATASET", &options.dataset, "folder, or name below $nnUNet_raw or $CONSILIUM_DATA");
  command.Option("--output,-o", &options.output, "file for consilium plan --statistics");
  command.Option("--report", &options.report, "JSON file for people: the same, in words and quantiles");
  command.Option("--cases-min", &options.cases_min, "fewest cases that anything may be said of");
  command.Option("--threads", &options.threads, "0: one for each core");
  command.Option("--memory", &options.memory_gb, "GB that cases being measured may take together");
  return command.Run(arguments, [&] { return ComputeAndWrite(options, command.json()); });
}

}  // namespace consilium::datasets
