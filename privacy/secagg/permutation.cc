#include "privacy/secagg/permutation.h"

#include <array>
#include <cstring>
#include <numeric>
#include <utility>

#include "privacy/crypto/key_stream.h"

namespace consilium::secagg {

std::vector<std::size_t> RandomOrder(std::size_t count, const Digest& seed) {
  crypto::KeyStream stream(crypto::StreamCipher::kAes256Ctr, SecretBytes(Bytes(seed.bytes.begin(), seed.bytes.end())),
                           {});
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = count; i > 1; --i) {
    // Uniform below i: 64 bits with rejection of the incomplete last block.
    std::uint64_t draw = 0;
    const std::uint64_t limit = ~std::uint64_t{0} - ~std::uint64_t{0} % i;
    do {
      std::array<std::uint8_t, 16> block;
      stream.Read(block);
      std::memcpy(&draw, block.data(), sizeof draw);
    } while (draw >= limit);
    std::swap(order[i - 1], order[draw % i]);
  }
  return order;
}

}  // namespace consilium::secagg
