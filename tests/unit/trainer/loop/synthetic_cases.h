// Cases that a tiny network learns in seconds: noise with a bright block of class 1 and a dark one of class 2.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "comm/wire/job.h"
#include "datasets/preprocess/prepared_case.h"

namespace consilium::trainer {

inline constexpr std::int64_t kSyntheticClasses = 3;  // background included

// `count` cases of one channel, each edge between 12 and 16 voxels (z = 1 when `flat`).
std::vector<datasets::PreparedCase> SyntheticCases(std::int64_t count, std::uint64_t seed, bool flat = false);

// Patch 8^3 (or 8^2), two stages, base width 2, batch 2, one thread.
wire::JobSpec SyntheticJob(std::int64_t epochs, std::int64_t iterations, bool flat = false);

}  // namespace consilium::trainer
