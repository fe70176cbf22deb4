// How many models' worth of disk a federation's rounds take at the coordinator: what a submission is checked against.
#pragma once

#include <cstddef>

#include "comm/wire/job.h"

namespace consilium::coordinator {

// At the most, while a round is folded: the model that the sites start from, the one being folded and the one in the
// job's folder; every site's update with its auxiliary tensors (twice in a strategy that goes on collecting while it
// folds); the mean of each secure sum; the strategy's old and new state; and the sites' own models, old and new, where
// it makes some.  An upper bound: personal tensors and compression make it less.
std::size_t ModelsOnDisk(const wire::FederationSpec& federation, std::size_t sites);

}  // namespace consilium::coordinator
