// Which samples of a global batch a rank computes, and how much its loss counts.
//
// A batch of B samples is cut into A equal micro-batches (gradient accumulation), each of them over the ranks; the
// first ranks take the remainder.  With losses that are means over samples, the gradient of the whole batch is
//   sum over micro-batches and ranks of (n / B) * gradient of the share's mean loss,    n = samples in the share.
#pragma once

#include <cstdint>
#include <vector>

#include "comm/base/status.h"

namespace consilium::trainer {

struct Share {
  std::int64_t begin = 0;  // of sample indices in the global batch
  std::int64_t end = 0;
  std::int64_t of = 0;  // samples in the whole micro-batch, all ranks together

  std::int64_t size() const { return end - begin; }
  friend bool operator==(const Share&, const Share&) = default;
};

struct BatchSplit {
  std::int64_t batch_size = 1;
  std::int64_t micro_batches = 1;  // divides batch_size
  int world = 1;
};

// One share a micro-batch.  InvalidArgument when a micro-batch has fewer samples than there are ranks.
StatusOr<std::vector<Share>> SharesOf(const BatchSplit& split, int rank);

}  // namespace consilium::trainer
