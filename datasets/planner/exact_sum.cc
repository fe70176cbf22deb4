#include "datasets/planner/exact_sum.h"

#include <cmath>

namespace consilium::datasets {
namespace {

__extension__ using Uint128 = unsigned __int128;
constexpr int kUnitExponent = -1074;  // of the smallest double
constexpr std::size_t kLimbBits = 32;

template <std::size_t kSize>
void AddAt(std::array<std::uint32_t, kSize>* limbs, std::size_t first, std::array<std::uint32_t, 3> digits) {
  std::uint64_t carry = 0;
  for (std::size_t i = first; i < kSize && (i < first + digits.size() || carry != 0); ++i) {
    carry += std::uint64_t{(*limbs)[i]} + (i < first + digits.size() ? digits[i - first] : 0U);
    (*limbs)[i] = static_cast<std::uint32_t>(carry);
    carry >>= kLimbBits;
  }
}

template <std::size_t kSize>
void Negate(std::array<std::uint32_t, kSize>* limbs) {
  for (std::uint32_t& limb : *limbs) limb = ~limb;
  AddAt(limbs, 0, {1, 0, 0});
}

}  // namespace

void ExactSum::Add(double value) {
  CONSILIUM_CHECK(std::isfinite(value), "adding ", value);
  if (value == 0) return;
  int exponent = 0;
  // |value| = mantissa * 2^exponent with a mantissa of 53 bits; fewer for denormals, which must not go below the unit.
  auto mantissa = static_cast<std::uint64_t>(std::ldexp(std::frexp(std::abs(value), &exponent), 53));
  exponent -= 53;
  if (exponent < kUnitExponent) {
    mantissa >>= kUnitExponent - exponent;  // these bits are zero
    exponent = kUnitExponent;
  }
  const auto offset = static_cast<std::size_t>(exponent - kUnitExponent);
  const Uint128 shifted = Uint128{mantissa} << (offset % kLimbBits);
  ExactSum term;
  AddAt(&term.limbs_, offset / kLimbBits,
        {static_cast<std::uint32_t>(shifted), static_cast<std::uint32_t>(shifted >> 32),
         static_cast<std::uint32_t>(shifted >> 64)});
  if (value < 0) Negate(&term.limbs_);
  Merge(term);
}

void ExactSum::Merge(const ExactSum& other) {
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < kLimbs; ++i) {
    carry += std::uint64_t{limbs_[i]} + other.limbs_[i];
    limbs_[i] = static_cast<std::uint32_t>(carry);
    carry >>= kLimbBits;
  }
}

double ExactSum::Value() const {
  std::array<std::uint32_t, kLimbs> limbs = limbs_;
  const bool is_negative = (limbs.back() >> 31) != 0;
  if (is_negative) Negate(&limbs);
  std::size_t top = kLimbs;
  while (top > 0 && limbs[top - 1] == 0) --top;
  if (top == 0) return 0;
  // The upper four limbs hold at least 97 bits; what lies below only decides whether a tie is one.
  const std::size_t low = top > 4 ? top - 4 : 0;
  Uint128 upper = 0;
  for (std::size_t i = top; i > low; --i) upper = upper << kLimbBits | limbs[i - 1];
  for (std::size_t i = 0; i < low; ++i) upper |= limbs[i] != 0 ? 1 : 0;
  const double magnitude = std::ldexp(static_cast<double>(upper), static_cast<int>(low * kLimbBits) + kUnitExponent);
  return is_negative ? -magnitude : magnitude;
}

void ExactSum::EncodeTo(ByteWriter* writer) const {
  for (const std::uint32_t limb : limbs_) writer->Put(limb);
}

ExactSum ExactSum::DecodeFrom(ByteReader* reader) {
  ExactSum sum;
  for (std::uint32_t& limb : sum.limbs_) limb = reader->Get<std::uint32_t>();
  return sum;
}

}  // namespace consilium::datasets
