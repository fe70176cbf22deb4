// Work on numbered tiles by several threads, whose results are taken in the order of the numbers.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "comm/base/status.h"

namespace consilium::coordinator {

// One thread's hands: made for it, used by it alone, except that Commit calls never overlap.
class TileWorker {
 public:
  virtual ~TileWorker() = default;
  // Any order, at the same time as others.
  virtual Status Compute(std::size_t tile) = 0;
  // Takes what the last Compute made, in the order of the tiles' numbers.
  virtual Status Commit(std::size_t tile) = 0;
};

// Ends at the first error, which is the one of the lowest tile among those that failed to commit.  `threads` of at
// least 1; with 1 everything happens in the caller's thread.
Status RunInOrder(std::size_t tiles, std::size_t threads, const std::function<std::unique_ptr<TileWorker>()>& make);

// 0: the machine's hardware threads, at most 4 (a fold is bound by memory and disk); else as asked.
std::size_t FoldThreads(std::size_t asked);

}  // namespace consilium::coordinator
