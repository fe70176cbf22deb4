// Our own random numbers: the same on every compiler and machine, unlike std:: distributions.
//
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) is counter-based: stream (seed,
// stream) is random access, so a sample's augmentation is a function of (seed, step, index) and a restart needs no
// saved state. Not for secrets: those come from entropy.h.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

namespace consilium {

// One Philox4x32-10 block.
std::array<std::uint32_t, 4> Philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

// Mixes several numbers into a stream id: StreamOf({seed, epoch, case}).  SplitMix64 finaliser over each.
std::uint64_t StreamOf(std::span<const std::uint64_t> parts);
inline std::uint64_t StreamOf(std::initializer_list<std::uint64_t> parts) {
  return StreamOf(std::span<const std::uint64_t>(parts.begin(), parts.size()));
}

// Strand-bound.
class Rng {
 public:
  explicit Rng(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  std::uint32_t NextU32();
  std::uint64_t NextU64() {
    const std::uint64_t low = NextU32();
    return low | std::uint64_t{NextU32()} << 32;
  }
  double Uniform() { return static_cast<double>(NextU64() >> 11) * 0x1.0p-53; }  // [0, 1)
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  bool Bernoulli(double probability) { return Uniform() < probability; }
  // Unbiased, [0, bound); bound >= 1.  Lemire's multiplication with rejection.
  std::uint64_t Below(std::uint64_t bound);
  // Standard normal, Box-Muller; two uniforms a pair.
  double Normal();

  template <typename T>
  void Shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[Below(i)]);
  }

 private:
  std::uint64_t seed_, stream_;
  std::uint64_t block_ = 0;
  std::array<std::uint32_t, 4> buffer_{};
  int used_ = 4;
  bool has_spare_ = false;
  double spare_ = 0;
};

// MT19937 seeded by init_genrand, for folds that must equal NumPy's (specs: splits_final.json).
class Mt19937 {
 public:
  explicit Mt19937(std::uint32_t seed);
  std::uint32_t NextU32();
  // NumPy's legacy masked rejection: uniform on [0, max].
  std::uint32_t UpTo(std::uint32_t max);

 private:
  std::array<std::uint32_t, 624> state_;
  int at_ = 624;
};

}  // namespace consilium
