// Reads every file of a raw data set and lists every fault of every case in one report, so that a person mends once.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "comm/base/json.h"
#include "comm/base/status.h"
#include "datasets/raw/raw_dataset.h"

namespace consilium::datasets {

struct Finding {
  std::string case_id;         // empty: about the data set as a whole
  std::filesystem::path file;  // relative to the data set's folder
  std::string fault;
  std::string mend;
};

struct IntegrityReport {
  std::string dataset;
  std::int64_t cases_checked = 0;
  std::vector<Finding> faults;    // training must not start
  std::vector<Finding> warnings;  // origin or direction differ, files that are ignored

  bool ok() const { return faults.empty(); }
  // OK without faults; else kInvalidArgument with a line for each fault (the first 50, then a count).
  Status ToStatus() const;
  // {"dataset", "cases_checked", "faults": [{"case", "file", "fault", "mend"}], "warnings": [...]}, uncapped.
  Json ToJson() const;
};

IntegrityReport CheckIntegrity(const RawDataset& dataset);

}  // namespace consilium::datasets
