#include "comm/base/entropy.h"

#include <openssl/rand.h>

#include "comm/base/bytes.h"
#include "comm/base/rng.h"

namespace consilium {
namespace {

class OpenSslEntropy final : public Entropy {
 public:
  void Fill(std::span<std::uint8_t> out) override {
    CONSILIUM_CHECK(RAND_priv_bytes(out.data(), static_cast<int>(out.size())) == 1,
                    "the system's random generator failed");
  }
};

}  // namespace

Entropy& SystemEntropy() {
  static OpenSslEntropy entropy;
  return entropy;
}

void SeededEntropy::Fill(std::span<std::uint8_t> out) {
  Rng rng(seed_, calls_++);
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(rng.NextU32());
}

SecretBytes RandomSecret(Entropy& entropy, std::size_t bytes) {
  SecretBytes secret(bytes);
  entropy.Fill(secret.RevealMutable());
  return secret;
}

std::string RandomHex(Entropy& entropy, std::size_t bytes) {
  Bytes raw(bytes);
  entropy.Fill(raw);
  return ToHex(raw);
}

}  // namespace consilium
