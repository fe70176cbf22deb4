// Private keys of certificates: ECDSA on P-256 (FIPS 186-5), as PKCS#8 PEM.
#pragma once

#include <memory>
#include <string>

#include "comm/base/secret.h"

struct evp_pkey_st;

namespace consilium::crypto {

// Immutable; copies share the key, which OpenSSL wipes when the last one goes.
class PrivateKey {
 public:
  static StatusOr<PrivateKey> Generate();
  // Errors: InvalidArgument when it is not an unencrypted PEM private key.
  static StatusOr<PrivateKey> FromPem(const SecretBytes& pem);
  StatusOr<SecretBytes> ToPem() const;

  evp_pkey_st* get() const { return key_.get(); }

 private:
  explicit PrivateKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace consilium::crypto
