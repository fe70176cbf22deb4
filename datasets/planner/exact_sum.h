// A sum of doubles without any rounding: the same bits in whatever order and grouping it was added up.
//
// Source: Kulisch's long accumulator.  A fixed-point number of 2176 bits holds every finite double (2098 bits) and 2^77
// of them added up.
#pragma once

#include <array>
#include <cstdint>

#include "comm/base/bytes.h"
#include "comm/base/status.h"

namespace consilium::datasets {

class ExactSum {
 public:
  void Add(double value);  // finite
  void Merge(const ExactSum& other);
  double Value() const;  // rounded once, to nearest; infinite when the sum is beyond a double

  void EncodeTo(ByteWriter* writer) const;
  static ExactSum DecodeFrom(ByteReader* reader);  // every 272 bytes are a sum

  friend bool operator==(const ExactSum&, const ExactSum&) = default;

 private:
  static constexpr std::size_t kLimbs = 68;
  std::array<std::uint32_t, kLimbs> limbs_{};  // two's complement, least significant first; one unit is 2^-1074
};

}  // namespace consilium::datasets
