// Randomness for keys, nonces and ids.  Injected, so that tests can repeat a protocol byte for byte.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "comm/base/secret.h"

namespace consilium {

// Thread-safe.
class Entropy {
 public:
  virtual ~Entropy() = default;
  virtual void Fill(std::span<std::uint8_t> out) = 0;
};

// OpenSSL's RAND_priv_bytes; aborts when the system has no entropy, because going on would be worse.
Entropy& SystemEntropy();

// Repeatable; for tests and simulation only.  Strand-bound.
class SeededEntropy final : public Entropy {
 public:
  explicit SeededEntropy(std::uint64_t seed) : seed_(seed) {}
  void Fill(std::span<std::uint8_t> out) override;

 private:
  std::uint64_t seed_, calls_ = 0;
};

SecretBytes RandomSecret(Entropy& entropy, std::size_t bytes);
// `bytes` random bytes as hexadecimal text.
std::string RandomHex(Entropy& entropy, std::size_t bytes);

}  // namespace consilium
