// Private keys of TLS certificates and of the authority: ECDSA on P-256 (FIPS 186-5), as PKCS#8 PEM; and the public
// half of a key of any kind, which a certificate is made for.
#pragma once

#include <memory>
#include <string>

#include "comm/base/secret.h"
#include "privacy/crypto/raw_keys.h"

struct evp_pkey_st;

namespace consilium::crypto {

// Immutable; copies share the key, which OpenSSL wipes when the last one goes.
class PrivateKey {
 public:
  static StatusOr<PrivateKey> Generate();
  // Errors: InvalidArgument when it is not an unencrypted PEM private key.
  static StatusOr<PrivateKey> FromPem(const SecretBytes& pem);
  StatusOr<SecretBytes> ToPem() const;

  // ECDSA with SHA-256, in DER.
  StatusOr<Bytes> Sign(ByteSpan message) const;

  evp_pkey_st* get() const { return key_.get(); }

 private:
  explicit PrivateKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

// Immutable; copies share it.
class PublicKey {
 public:
  static PublicKey Of(const PrivateKey& key);
  static PublicKey Of(const SigningKey& key);
  // Errors: InvalidArgument when it is not a public key in PEM.
  static StatusOr<PublicKey> FromPem(const std::string& pem);
  std::string ToPem() const;
  explicit PublicKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}

  bool Matches(const PublicKey& other) const;
  // What a certificate's key must be: TLS and the authority use P-256, signing Ed25519.
  bool is_p256() const;
  bool is_ed25519() const;
  // Of an Ed25519 key.  Errors: InvalidArgument for another kind.
  StatusOr<RawPublicKey> Raw() const;
  // SHA-256 of the key in DER (SubjectPublicKeyInfo): what two people read to each other; "" for a key of a kind
  // that OpenSSL does not know.
  std::string Fingerprint() const;
  // Of PrivateKey::Sign.  False for anything that this key did not sign.
  bool Verify(ByteSpan message, ByteSpan signature) const;

  evp_pkey_st* get() const { return key_.get(); }

 private:
  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace consilium::crypto
