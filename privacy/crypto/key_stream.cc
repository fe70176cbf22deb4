#include "privacy/crypto/key_stream.h"

#include <openssl/evp.h>

#include <algorithm>

#include "privacy/crypto/openssl.h"

namespace consilium::crypto {
namespace {

// What is encrypted: read again and again, so it should stay in the innermost cache.
constexpr std::size_t kZeroBytes = 8192;
alignas(64) constexpr std::array<std::uint8_t, kZeroBytes> kZeros{};

}  // namespace

std::size_t KeyBytes(StreamCipher cipher) { return cipher == StreamCipher::kAes128Ctr ? 16 : 32; }

void KeyStream::Freed::operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }

KeyStream::KeyStream(StreamCipher cipher, const SecretBytes& key, const std::array<std::uint8_t, 16>& counter)
    : context_(EVP_CIPHER_CTX_new()), counter_(counter) {
  CONSILIUM_CHECK(key.Reveal().size() == KeyBytes(cipher), "the key has the wrong size for its cipher");
  const EVP_CIPHER* type = cipher == StreamCipher::kAes128Ctr ? EVP_aes_128_ctr() : EVP_aes_256_ctr();
  CONSILIUM_CHECK(context_ != nullptr &&
                  EVP_EncryptInit_ex(context_.get(), type, nullptr, key.Reveal().data(), counter.data()) == 1);
}

void KeyStream::Seek(std::uint64_t block) {
  std::array<std::uint8_t, 16> at = counter_;
  unsigned carry = 0;
  for (int i = 15; i >= 0; --i) {
    const unsigned digit = i >= 8 ? static_cast<unsigned>(block >> (8 * (15 - i)) & 0xff) : 0;
    const unsigned sum = at[i] + digit + carry;
    at[i] = static_cast<std::uint8_t>(sum);
    carry = sum >> 8;
  }
  CONSILIUM_CHECK(EVP_EncryptInit_ex(context_.get(), nullptr, nullptr, nullptr, at.data()) == 1);
}

void KeyStream::Read(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const std::size_t size = std::min(out.size(), kZeroBytes);
    int written = 0;
    CONSILIUM_CHECK(EVP_EncryptUpdate(context_.get(), out.data(), &written, kZeros.data(), static_cast<int>(size)) ==
                    1);
    out = out.subspan(size);
  }
}

}  // namespace consilium::crypto
