// Keys of 32 bytes: X25519 to agree (RFC 7748) and Ed25519 to sign (RFC 8032).
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "comm/base/bytes.h"
#include "comm/base/entropy.h"
#include "comm/base/secret.h"
#include "comm/base/status.h"

struct evp_pkey_st;

namespace consilium::crypto {

using RawPublicKey = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;

// Immutable; copies share the key, which OpenSSL wipes when the last one goes.
class AgreementKey {
 public:
  static AgreementKey Generate(Entropy& entropy);
  // From 32 secret bytes, which are clamped as RFC 7748 says.  Errors: InvalidArgument for another size.
  static StatusOr<AgreementKey> FromSeed(const SecretBytes& seed);
  const RawPublicKey& public_key() const { return public_; }
  // The 32 shared bytes, to be put through a key derivation, never used as a key.  Errors: InvalidArgument for a peer's
  // point of small order (the result would be all zeros).
  StatusOr<SecretBytes> Agree(const RawPublicKey& peer) const;

 private:
  explicit AgreementKey(std::shared_ptr<evp_pkey_st> key);
  std::shared_ptr<evp_pkey_st> key_;
  RawPublicKey public_{};
};

// Immutable; as AgreementKey.
class SigningKey {
 public:
  static SigningKey Generate(Entropy& entropy);
  // Errors: InvalidArgument unless the seed has 32 bytes.
  static StatusOr<SigningKey> FromSeed(const SecretBytes& seed);
  // As PKCS#8 PEM.  Errors: InvalidArgument when it is not an unencrypted PEM private key, or one of another kind.
  static StatusOr<SigningKey> FromPem(const SecretBytes& pem);
  StatusOr<SecretBytes> ToPem() const;
  const RawPublicKey& public_key() const { return public_; }
  Signature Sign(ByteSpan message) const;

  evp_pkey_st* get() const { return key_.get(); }

 private:
  explicit SigningKey(std::shared_ptr<evp_pkey_st> key);
  std::shared_ptr<evp_pkey_st> key_;
  RawPublicKey public_{};
};

// False for any signature that this key did not make of this message, also for malleated ones.
bool Verify(const RawPublicKey& key, ByteSpan message, const Signature& signature);

}  // namespace consilium::crypto
