// HKDF with SHA-256 (RFC 5869): keys from a shared secret.
#pragma once

#include <cstddef>

#include "comm/base/bytes.h"
#include "comm/base/secret.h"

namespace consilium::crypto {

// `length` <= 8160 bytes.
SecretBytes HkdfSha256(ByteSpan secret, ByteSpan salt, ByteSpan info, std::size_t length);

}  // namespace consilium::crypto
