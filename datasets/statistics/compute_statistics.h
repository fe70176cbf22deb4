// What a site sends so that a federation can plan together, computed from its own raw data set.
//
// The one entry point for a site's worker: read the data set, call ComputeSiteStatistics(), send EncodeStatistics().
// The coordinator: DecodeStatistics(), Merge() over all sites, PlanFromStatistics(), and PlanDigest() for every site to
// pin (planner/site_statistics.h, planner/federated_plan.h: no image library, no torch).
#pragma once

#include "datasets/planner/federated_plan.h"
#include "datasets/planner/site_statistics.h"
#include "datasets/statistics/case_loop.h"

namespace consilium::datasets {

struct StatisticsOptions {
  CaseLoopOptions loop;         // threads, memory, progress, cancellation
  std::uint32_t cases_min = 5;  // nothing is said of fewer cases than this; 1: nothing is held back
};

// Uses every voxel of the foreground of every case, so unlike nnU-Net's fingerprint nothing is random.  Does not depend
// on the number of threads.  Fewer than cases_min cases: kPermissionDenied; a faulty case: kInvalidArgument.
StatusOr<SiteStatistics> ComputeSiteStatistics(const RawDataset& dataset, const StatisticsOptions& options);

}  // namespace consilium::datasets
