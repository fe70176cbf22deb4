// Masks: pseudo-random vectors in Z_2^32, added to a sum without ever lying in memory as a whole.
//
// Coordinate i of a mask is the little-endian u32 at byte 4 i of AES-CTR under a key derived by HKDF from the mask's
// seed, salted with the session's context: any range of coordinates can be made by itself, by any number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "comm/base/digest.h"
#include "privacy/crypto/key_stream.h"

namespace consilium::secagg {

enum class Sign : std::uint8_t { kAdd, kSubtract };

struct MaskTerm {
  const SecretBytes* seed = nullptr;  // 32 bytes; outlives the call
  Sign sign = Sign::kAdd;
};

// sum += or -= each term's mask, coordinates begin .. begin + sum.size(), wrapping mod 2^32.  The result does not
// depend on how a vector is cut into calls, nor on `threads`.
struct MaskOptions {
  crypto::StreamCipher cipher = crypto::StreamCipher::kAes128Ctr;
  Digest context;  // binds every mask to its session
  unsigned threads = 1;
};
void ApplyMasks(std::span<const MaskTerm> terms, const MaskOptions& options, std::uint64_t begin,
                std::span<std::uint32_t> sum);

}  // namespace consilium::secagg
