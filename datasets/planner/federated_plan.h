// One plan for a federation, from the sites' merged statistics.
//
// What is exact and what is not, against nnU-Net's plan of the same cases in one folder:
// - with cases_min 1, spacings, shapes and so patch, strides and batch are equal; a resampled median shape could differ
//   by one voxel only where spacing / target * shape is a tie in nnU-Net's rounding and not in exact arithmetic;
// - mean and standard deviation are exact where nnU-Net's come from a random sample (about 1e-4 of each other);
//   percentiles are exact for whole-numbered images up to 4095 and within 2^-11 (0.05 %) otherwise;
// - with small counts suppressed, a median or percentile lies within the cell that was shown, at most a factor of 2
// wide
//   and usually much less.
#pragma once

#include "comm/base/digest.h"
#include "datasets/planner/experiment_planner.h"
#include "datasets/planner/site_statistics.h"

namespace consilium::datasets {

// kInvalidArgument when a spacing or a shape is not positive, or no site could show a channel's intensities.
StatusOr<PlanInput> PlanInputOf(const SiteStatistics& statistics, const PlannerOptions& options);

// nnUNetPlans.json of the federation's data set, named `dataset`.
StatusOr<Json> PlanFromStatistics(const SiteStatistics& statistics, const std::string& dataset,
                                  const PlannerOptions& options = {});

// SHA-256 of the plan with its keys sorted: what every site pins.
Digest PlanDigest(const Json& plans);

}  // namespace consilium::datasets
