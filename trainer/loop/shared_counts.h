// Cases are dealt out to the ranks; afterwards every rank knows the counts of all.
#pragma once

#include <vector>

#include "comm/collective/communicator.h"
#include "trainer/evaluation/metrics.h"

namespace consilium::trainer {

// One row a case, each with `labels` entries; empty rows are those that other ranks computed.
using CountsByCase = std::vector<std::vector<LabelCounts>>;

// Collective.  Fills the empty rows.  Each case must have been computed by exactly one rank.
Status ShareCounts(collective::Communicator& gang, std::size_t labels, CountsByCase* rows);

}  // namespace consilium::trainer
