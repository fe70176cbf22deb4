// Splits one raw data set (Dataset004_Hippocampus) among hospitals that look like different scanners.
//
// Cases are dealt by a seeded shuffle: training and held-out cases of all sites are disjoint.  (The Decathlon's
// hippocampus cases are now and then the left and right side of one person, and the person is not recorded: a mild
// overlap of persons is possible, of cases it is not.)
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "comm/base/status.h"
#include "datasets/demo/site_folders.h"

namespace consilium::datasets {

struct HippocampusOptions {
  std::filesystem::path source;  // DatasetNNN_Name: one channel, labelled
  std::filesystem::path output;
  std::int64_t training_cases = 40;  // at each site
  std::int64_t heldout_cases = 8;    // at each site
  std::uint64_t seed = 1;
  std::vector<std::string> site_names = DefaultSiteNames();
  std::vector<ScannerLook> looks = DefaultScannerLooks();  // one a site
};

// kInvalidArgument when the data set holds too few cases or has more than one channel; reading and writing errors as
// they are.
StatusOr<DemoSites> MakeHippocampusSites(const HippocampusOptions& options);

}  // namespace consilium::datasets
