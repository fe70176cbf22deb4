#include "trainer/loop/batch_split.h"

#include <algorithm>

namespace consilium::trainer {

StatusOr<std::vector<Share>> SharesOf(const BatchSplit& split, int rank) {
  if (split.micro_batches < 1 || split.batch_size % split.micro_batches != 0)
    return InvalidArgument("train.gradient_accumulation (", split.micro_batches, ") must divide train.batch_size (",
                           split.batch_size, ")");
  const std::int64_t samples = split.batch_size / split.micro_batches;
  if (samples < split.world)
    return InvalidArgument(
        "train.batch_size / train.gradient_accumulation is ", samples, ", but there are ", split.world,
        " ranks and each needs a patch of every micro-batch; mend: fewer ranks, a larger train.batch_size, or less "
        "train.gradient_accumulation");
  const std::int64_t base = samples / split.world, larger = samples % split.world;
  std::vector<Share> shares;
  for (std::int64_t micro = 0; micro < split.micro_batches; ++micro) {
    const std::int64_t begin = micro * samples + rank * base + std::min<std::int64_t>(rank, larger);
    shares.push_back({begin, begin + base + (rank < larger ? 1 : 0), samples});
  }
  return shares;
}

}  // namespace consilium::trainer
