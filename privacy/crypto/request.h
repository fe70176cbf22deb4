// Certificate requests (PKCS#10, RFC 2986): a public key, signed by its own private key, which never leaves the site.
#pragma once

#include <string>

#include "privacy/crypto/keys.h"

namespace consilium::crypto {

// PEM.  The common name is for people's tools alone: what a certificate says, its authority decides.
StatusOr<std::string> MakeRequest(const std::string& common_name, const PrivateKey& key);
StatusOr<std::string> MakeRequest(const std::string& common_name, const SigningKey& key);
// Errors: InvalidArgument for what is no request; Unauthenticated when it is not signed by the key that it shows.
StatusOr<PublicKey> KeyOfRequest(const std::string& pem);

}  // namespace consilium::crypto
