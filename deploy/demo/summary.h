// What the demo leaves behind: result.json, the montage, the final weights and metrics in one place, and a last table.
#pragma once

#include <map>
#include <string>

#include "comm/base/json.h"
#include "deploy/demo/fault_plan.h"
#include "deploy/demo/workspace.h"

namespace consilium::demo {

struct DemoResult {
  std::map<std::string, double> dice;  // held-out foreground mean of each site that is still there
  double mean_dice = 0;                // mean over sites
  std::string digest;                  // of the final weights
  double seconds = 0;                  // from the first process to the last
  std::filesystem::path montage, report, model, metrics;
};

// Gathers from the coordinator's and the sites' folders, draws the montage, writes report.html and result.json.
StatusOr<DemoResult> Summarize(const Workspace& workspace, const FaultPlan& faults, double seconds);
Json ToJson(const DemoResult& result, const Workspace& workspace);
void PrintSummary(const DemoResult& result, const Workspace& workspace);

}  // namespace consilium::demo
