// AES-256-GCM (NIST SP 800-38D): one message under one key.
#pragma once

#include <array>
#include <cstdint>

#include "comm/base/bytes.h"
#include "comm/base/secret.h"
#include "comm/base/status.h"

namespace consilium::crypto {

inline constexpr std::size_t kSealBytes = 16;  // the tag, after the ciphertext
using Nonce = std::array<std::uint8_t, 12>;

// key: 32 bytes, with which no other message is sealed under the same nonce.
Bytes Seal(const SecretBytes& key, const Nonce& nonce, ByteSpan associated, ByteSpan plain);
// Errors: Unauthenticated when the key, the nonce, the associated bytes or the sealed ones are not those of Seal.
StatusOr<SecretBytes> Open(const SecretBytes& key, const Nonce& nonce, ByteSpan associated, ByteSpan sealed);

}  // namespace consilium::crypto
