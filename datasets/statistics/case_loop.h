// Measures the cases of a data set on a few threads within a memory budget.
#pragma once

#include <functional>
#include <string>

#include "datasets/statistics/measured_case.h"

namespace consilium::datasets {

struct CaseLoopOptions {
  std::int64_t threads = 0;                             // 0: as many as there are cores
  std::uint64_t memory_bytes = std::uint64_t{4} << 30;  // one case is measured even if it alone takes more
  // Called after each case, one at a time, from any of the threads.
  std::function<void(const std::string& case_id, std::int64_t done, std::int64_t total)> on_case = {};
  std::function<bool()> is_cancelled = {};  // asked before each case, from any of the threads
};

// From a command line; bad numbers are kInvalidArgument.
StatusOr<CaseLoopOptions> LoopOptionsOf(std::int64_t threads, double memory_gb);

// Calls `use(index, measured)` for every case of the data set, in any order, from several threads at once.  Stops at
// the first failure (of the failed cases, the first in the data set's order is reported); kCancelled when told to.
Status ForEachMeasuredCase(const RawDataset& dataset, const CaseLoopOptions& options,
                           const std::function<Status(std::size_t index, MeasuredCase measured)>& use);

}  // namespace consilium::datasets
