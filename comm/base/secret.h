// Bytes that must not leak: move-only, wiped when they die, in no core dump, not printable, compared in constant time.
#pragma once

#include <openssl/crypto.h>

#include <utility>

#include "comm/base/bytes.h"

namespace consilium {

// Memory of its own pages, which the kernel leaves out of core dumps and, as far as the limits allow, does not swap
// out.  Thread-safe.
void* AllocateSecret(std::size_t bytes);
void FreeSecret(void* memory, std::size_t bytes);  // wiped first

template <typename T>
struct SecretAllocator {
  using value_type = T;
  SecretAllocator() = default;
  template <typename U>
  SecretAllocator(const SecretAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(AllocateSecret(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t count) { FreeSecret(memory, count * sizeof(T)); }
  friend bool operator==(const SecretAllocator&, const SecretAllocator&) { return true; }
};

class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::size_t size) : bytes_(size) {}
  // The argument is wiped.
  explicit SecretBytes(Bytes bytes) : bytes_(bytes.begin(), bytes.end()) {
    OPENSSL_cleanse(bytes.data(), bytes.size());
  }
  SecretBytes(SecretBytes&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
      bytes_ = std::move(other.bytes_);
      other.bytes_.clear();
    }
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() = default;

  ByteSpan Reveal() const { return bytes_; }
  std::span<std::uint8_t> RevealMutable() { return bytes_; }
  bool EqualsConstantTime(const SecretBytes& other) const {
    return bytes_.size() == other.bytes_.size() &&
           CRYPTO_memcmp(bytes_.data(), other.bytes_.data(), bytes_.size()) == 0;
  }

 private:
  std::vector<std::uint8_t, SecretAllocator<std::uint8_t>> bytes_;
};

// For processes that hold keys: no core dump of this process is written, and no other process of the same user may look
// into it; a child that is started inherits the first.  CONSILIUM_CORE_DUMPS=1 in the environment leaves everything as
// it is, for debugging.  Call it before any key is read.
void ForbidCoreDumps();

}  // namespace consilium
