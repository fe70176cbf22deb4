// Standard normals in bulk: Philox4x32-10 blocks by the lane, then Box-Muller with polynomial log, sine and cosine.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "datasets/sampling/augment.h"
#include "datasets/sampling/vector_math.h"

namespace consilium::datasets {
namespace {

constexpr int kLanes = 64;            // Philox blocks computed side by side
constexpr int kNormals = 4 * kLanes;  // each gives four words, hence four normals
using Lane = std::array<std::uint32_t, kLanes>;

// Blocks first_block .. first_block + kLanes - 1 of the stream, words[w][lane]; equal to Philox4x32() lane by lane.
void PhiloxLanes(std::uint64_t first_block, std::uint64_t seed, std::uint64_t stream, std::array<Lane, 4>& words) {
  for (int lane = 0; lane < kLanes; ++lane) {
    const std::uint64_t block = first_block + static_cast<std::uint64_t>(lane);
    words[0][lane] = static_cast<std::uint32_t>(block);
    words[1][lane] = static_cast<std::uint32_t>(block >> 32);
    words[2][lane] = static_cast<std::uint32_t>(stream);
    words[3][lane] = static_cast<std::uint32_t>(stream >> 32);
  }
  std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const std::uint64_t product0 = std::uint64_t{0xD2511F53} * words[0][lane];
      const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * words[2][lane];
      words[0][lane] = static_cast<std::uint32_t>(product1 >> 32) ^ words[1][lane] ^ key0;
      words[1][lane] = static_cast<std::uint32_t>(product1);
      words[2][lane] = static_cast<std::uint32_t>(product0 >> 32) ^ words[3][lane] ^ key1;
      words[3][lane] = static_cast<std::uint32_t>(product0);
    }
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

// Box-Muller: 24 bits for the radius (at most 5.8), 2 bits for the quadrant, 24 for the angle within it.
void ToNormals(const Lane& radius_bits, const Lane& angle_bits, float* cosines, float* sines) {
  for (int lane = 0; lane < kLanes; ++lane) {
    const float uniform =
        static_cast<float>(static_cast<std::int32_t>(radius_bits[lane] >> 8) + 1) * 0x1.0p-24f;  // (0, 1]
    const float radius = std::sqrt(-2.0f * FastLog(uniform));
    const auto within = static_cast<std::int32_t>((angle_bits[lane] << 2) >> 8) - (1 << 23);  // [-2^23, 2^23)
    const float angle = static_cast<float>(within) * static_cast<float>(std::numbers::pi / 4 * 0x1.0p-23);
    const float cosine = radius * FastCos(angle), sine = radius * FastSin(angle);
    const std::uint32_t quadrant = angle_bits[lane] >> 30;
    // Quarter turns: (c, s), (-s, c), (-c, -s), (s, -c); the sign goes in through the sign bit.
    const float a = (quadrant & 1) != 0 ? sine : cosine, b = (quadrant & 1) != 0 ? cosine : sine;
    const std::uint32_t negate_a = ((quadrant ^ (quadrant >> 1)) & 1) << 31, negate_b = (quadrant >> 1) << 31;
    cosines[lane] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(a) ^ negate_a);
    sines[lane] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(b) ^ negate_b);
  }
}

}  // namespace

void AddGaussianNoise(std::span<float> voxels, float standard_deviation, std::uint64_t seed, std::uint64_t stream) {
  std::array<Lane, 4> words;
  std::array<float, kNormals> normals;
  std::uint64_t block = 0;
  for (std::size_t at = 0; at < voxels.size(); at += kNormals, block += kLanes) {
    PhiloxLanes(block, seed, stream, words);
    ToNormals(words[0], words[1], normals.data(), normals.data() + kLanes);
    ToNormals(words[2], words[3], normals.data() + 2 * kLanes, normals.data() + 3 * kLanes);
    const std::size_t count = std::min<std::size_t>(kNormals, voxels.size() - at);
    for (std::size_t i = 0; i < count; ++i) voxels[at + i] += standard_deviation * normals[i];
  }
}

}  // namespace consilium::datasets
