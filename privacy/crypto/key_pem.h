// Private keys of any kind as PKCS#8 PEM.  Internal to privacy/crypto.
#pragma once

#include <memory>

#include "comm/base/secret.h"
#include "comm/base/status.h"

struct evp_pkey_st;

namespace consilium::crypto {

// Errors: InvalidArgument when it is not an unencrypted PEM private key.
StatusOr<std::shared_ptr<evp_pkey_st>> KeyFromPem(const SecretBytes& pem);
StatusOr<SecretBytes> KeyToPem(evp_pkey_st* key);

}  // namespace consilium::crypto
