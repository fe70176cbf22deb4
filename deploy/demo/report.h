// The demo's page for people: held-out Dice, curves by round, what was killed when, the montage.
#pragma once

#include "deploy/demo/fault_plan.h"
#include "deploy/demo/summary.h"

namespace consilium::demo {

// Writes result.report from result.metrics and result.montage.
Status WriteReport(const DemoResult& result, const Workspace& workspace, const FaultPlan& faults);

}  // namespace consilium::demo
