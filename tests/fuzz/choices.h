// A fuzzer's bytes as decisions, one after the other.  Once they are used up every decision is the first one.
#pragma once

#include <algorithm>

#include "comm/base/bytes.h"

namespace consilium::fuzz {

// Does not own the bytes.
class Choices {
 public:
  explicit Choices(ByteSpan bytes) : bytes_(bytes) {}

  bool over() const { return bytes_.empty(); }
  // [0, bound); bound >= 1.
  std::size_t Below(std::size_t bound) {
    std::size_t value = Byte();
    if (bound > 256) value = value << 8 | Byte();
    return value % bound;
  }
  bool OneIn(std::size_t n) { return Below(n) == 1 % n; }
  double Fraction() { return static_cast<double>(Byte()) / 256; }
  ByteSpan Take(std::size_t size_max) {
    const ByteSpan taken = bytes_.first(std::min(size_max, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }

 private:
  std::size_t Byte() {
    const ByteSpan one = Take(1);
    return one.empty() ? 0 : one.front();
  }
  ByteSpan bytes_;
};

}  // namespace consilium::fuzz
