// Bytes that must not leak: move-only, wiped when they die, not printable, compared in constant time.
#pragma once

#include <openssl/crypto.h>

#include <utility>

#include "comm/base/bytes.h"

namespace consilium {

class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::size_t size) : bytes_(size) {}
  explicit SecretBytes(Bytes bytes) : bytes_(std::move(bytes)) {}
  SecretBytes(SecretBytes&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
      Wipe();
      bytes_ = std::move(other.bytes_);
      other.bytes_.clear();
    }
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { Wipe(); }

  ByteSpan Reveal() const { return bytes_; }
  std::span<std::uint8_t> RevealMutable() { return bytes_; }
  bool EqualsConstantTime(const SecretBytes& other) const {
    return bytes_.size() == other.bytes_.size() &&
           CRYPTO_memcmp(bytes_.data(), other.bytes_.data(), bytes_.size()) == 0;
  }

 private:
  void Wipe() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }
  Bytes bytes_;
};

}  // namespace consilium
