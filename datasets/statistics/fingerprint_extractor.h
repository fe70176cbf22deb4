// dataset_fingerprint.json of a raw data set, as nnU-Net extracts it.
#pragma once

#include "datasets/planner/experiment_planner.h"
#include "datasets/planner/fingerprint.h"
#include "datasets/statistics/case_loop.h"

namespace consilium::datasets {

struct FingerprintOptions {
  CaseLoopOptions loop;
  std::int64_t samples = 100'000'000;  // voxels drawn from all cases together, a channel; nnU-Net's number
};

// Spacings and shapes in the order of case ids.  Intensities come from nnU-Net's own sample: in each case samples /
// cases voxels of the foreground, with replacement, by MT19937 seeded 1234, so that a small case counts as much as a
// large one. Where a channel has more than 2 million different values, quantiles are taken from cells of at most 2^-10
// of a value. Memory: the cases being measured, and at most 100 MB a channel.  A data set without any foreground is
// kInvalidArgument.
StatusOr<DatasetFingerprint> ExtractFingerprint(const RawDataset& dataset, const FingerprintOptions& options);

// numTraining is the number of cases found, as the fingerprint describes those.
DatasetFacts FactsOf(const RawDataset& dataset);

}  // namespace consilium::datasets
