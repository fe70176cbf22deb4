#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <utility>

#include "comm/base/command.h"
#include "comm/base/json.h"
#include "datasets/demo/hippocampus_sites.h"
#include "datasets/demo/one_brain_sites.h"
#include "datasets/demo/verbs.h"

namespace consilium::datasets {
namespace {

constexpr char kDefaultDataset[] = "Dataset004_Hippocampus";

struct Options {
  std::string output, source;
  std::string brain = OneBrainOptions().templates.string();
  std::int64_t training_cases = HippocampusOptions().training_cases;
  std::int64_t heldout_cases = HippocampusOptions().heldout_cases;
  std::int64_t seed = 1;
  std::int64_t sites = 3;
  bool one_brain = false;
};

// --source, or the environment's data set if it is there; empty: use the one brain.
std::filesystem::path SourceFolder(const Options& options) {
  if (options.one_brain) return {};
  if (!options.source.empty()) return options.source;
  const char* data = std::getenv("CONSILIUM_DATA");
  if (data == nullptr || *data == '\0') return {};
  const std::filesystem::path folder = std::filesystem::path(data) / kDefaultDataset;
  std::error_code error;
  return std::filesystem::exists(folder / "dataset.json", error) ? folder : std::filesystem::path();
}

StatusOr<DemoSites> Make(const Options& options) {
  if (options.one_brain && !options.source.empty())
    return InvalidArgument("--source and --one-brain exclude each other: give one of them");
  if (options.training_cases < 1 || options.heldout_cases < 1)
    return InvalidArgument("--training-cases and --heldout-cases must be at least 1");
  if (options.sites < 1 || options.sites > static_cast<std::int64_t>(kDemoSitesMax))
    return InvalidArgument("--sites must be between 1 and ", kDemoSitesMax);
  const auto sites = static_cast<std::size_t>(options.sites);
  const std::filesystem::path source = SourceFolder(options);
  if (!source.empty())
    return MakeHippocampusSites({.source = source,
                                 .output = options.output,
                                 .training_cases = options.training_cases,
                                 .heldout_cases = options.heldout_cases,
                                 .seed = static_cast<std::uint64_t>(options.seed),
                                 .site_names = DefaultSiteNames(sites),
                                 .looks = DefaultScannerLooks(sites)});
  return MakeOneBrainSites({.templates = options.brain,
                            .output = options.output,
                            .cut = {.training_blocks_max = options.training_cases,
                                    .heldout_blocks_max = options.heldout_cases,
                                    .seed = static_cast<std::uint64_t>(options.seed)},
                            .site_names = DefaultSiteNames(sites),
                            .looks = DefaultScannerLooks(sites)});
}

}  // namespace

int DemoDataVerb(const Arguments& arguments) {
  Options options;
  Command command(
      "consilium demo-data",
      "Makes the folders of hospitals, three unless you ask for others, with different scanners: training cases for "
      "each, and held-out cases\n"
      "that nobody trains on. Takes $CONSILIUM_DATA/Dataset004_Hippocampus when it is there, otherwise one brain of\n"
      "the Debian package mricron-data, cut into blocks.",
      "consilium demo-data --output demo-data --training-cases 40 --heldout-cases 8");
  command.Option("--output,-o", &options.output, "folder to make; must be empty or absent", true);
  command.Option("--source", &options.source, "raw data set of one channel to split, DatasetNNN_Name");
  command.Flag("--one-brain", &options.one_brain, "use the one brain even where the data set is there");
  command.Option("--brain", &options.brain, "folder of ch2bet.nii.gz and aal.nii.gz");
  command.Option("--training-cases", &options.training_cases, "at each site; for the one brain, at most");
  command.Option("--heldout-cases", &options.heldout_cases, "at each site; for the one brain, at most");
  command.Option("--sites", &options.sites, Concat("hospitals, 1 to ", kDemoSitesMax));
  command.Option("--seed", &options.seed, "of the split and the noise");
  return command.Run(arguments, [&]() -> Status {
    ASSIGN_OR_RETURN(const DemoSites made, Make(options));
    std::cerr << made.dataset << ": " << made.note << "\n";
    for (const DemoSite& site : made.sites)
      std::cerr << "  " << site.name << ": " << site.training_cases.size() << " training and "
                << site.heldout_cases.size() << " held-out cases, scanner " << site.look.scanner << "\n";
    if (command.json()) Command::PrintJson(ToJson(made));
    return {};
  });
}

}  // namespace consilium::datasets
