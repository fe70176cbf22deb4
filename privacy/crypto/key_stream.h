// A key stream that can be read from anywhere: AES in counter mode (NIST SP 800-38A) over zeros.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "comm/base/secret.h"

struct evp_cipher_ctx_st;

namespace consilium::crypto {

enum class StreamCipher : std::uint8_t { kAes128Ctr = 1, kAes256Ctr = 2 };
std::size_t KeyBytes(StreamCipher cipher);

// Move-only.  Strand-bound; several streams of one key may be read at once.
class KeyStream {
 public:
  // key: KeyBytes(cipher) bytes; block 0 is the encryption of `counter`, read as a big-endian number that grows by one
  // a block of 16 bytes.
  KeyStream(StreamCipher cipher, const SecretBytes& key, const std::array<std::uint8_t, 16>& counter);

  // The next read starts at this block.
  void Seek(std::uint64_t block);
  // The next bytes.  Reading a multiple of 16 bytes at a time costs nothing extra.
  void Read(std::span<std::uint8_t> out);

 private:
  struct Freed {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  std::unique_ptr<evp_cipher_ctx_st, Freed> context_;
  std::array<std::uint8_t, 16> counter_;
};

}  // namespace consilium::crypto
