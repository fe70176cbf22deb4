// How much disk a federation's rounds take at the coordinator: what a submission is checked against.
#pragma once

#include <cstdint>

#include "comm/wire/job.h"

namespace consilium::coordinator {

// Bytes at the most, while a round is folded: the old and the new global model, every site's update with its auxiliary
// tensors (twice in a strategy that goes on collecting while it folds), the strategy's old and new state, and the
// sites' own models where it makes some.  An upper bound: personal tensors and compression make it less.
std::uint64_t DiskNeeded(const wire::FederationSpec& federation, std::uint64_t model_bytes, std::size_t sites);

}  // namespace consilium::coordinator
