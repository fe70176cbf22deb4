#include "privacy/crypto/hkdf.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "privacy/crypto/openssl.h"

namespace consilium::crypto {

SecretBytes HkdfSha256(ByteSpan secret, ByteSpan salt, ByteSpan info, std::size_t length) {
  CONSILIUM_CHECK(length > 0 && length <= 255 * 32, "HKDF cannot give so many bytes");
  const std::unique_ptr<EVP_PKEY_CTX, Freer<&EVP_PKEY_CTX_free>> context(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr));
  SecretBytes key(length);
  std::size_t written = length;
  // OpenSSL takes a null pointer for "not set": an empty salt or secret needs an address.
  static const std::uint8_t kEmpty = 0;
  const auto at = [](ByteSpan bytes) { return bytes.empty() ? &kEmpty : bytes.data(); };
  const bool done = context != nullptr && EVP_PKEY_derive_init(context.get()) == 1 &&
                    EVP_PKEY_CTX_set_hkdf_md(context.get(), EVP_sha256()) == 1 &&
                    EVP_PKEY_CTX_set1_hkdf_salt(context.get(), at(salt), static_cast<int>(salt.size())) == 1 &&
                    EVP_PKEY_CTX_set1_hkdf_key(context.get(), at(secret), static_cast<int>(secret.size())) == 1 &&
                    EVP_PKEY_CTX_add1_hkdf_info(context.get(), at(info), static_cast<int>(info.size())) == 1 &&
                    EVP_PKEY_derive(context.get(), key.RevealMutable().data(), &written) == 1 && written == length;
  CONSILIUM_CHECK(done, "HKDF failed");
  return key;
}

}  // namespace consilium::crypto
