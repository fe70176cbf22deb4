#include "privacy/crypto/aead.h"

#include <openssl/evp.h>

#include "privacy/crypto/openssl.h"

namespace consilium::crypto {
namespace {

using CipherPtr = std::unique_ptr<EVP_CIPHER_CTX, Freer<&EVP_CIPHER_CTX_free>>;

enum class Way { kDecrypt = 0, kEncrypt = 1 };

CipherPtr Start(Way way, const SecretBytes& key, const Nonce& nonce, ByteSpan associated) {
  CONSILIUM_CHECK(key.Reveal().size() == 32, "AES-256 has keys of 32 bytes");
  CipherPtr context(EVP_CIPHER_CTX_new());
  int length = 0;
  CONSILIUM_CHECK(context != nullptr &&
                  EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.Reveal().data(), nonce.data(),
                                    static_cast<int>(way)) == 1);
  if (!associated.empty())
    CONSILIUM_CHECK(
        EVP_CipherUpdate(context.get(), nullptr, &length, associated.data(), static_cast<int>(associated.size())) == 1);
  return context;
}

}  // namespace

Bytes Seal(const SecretBytes& key, const Nonce& nonce, ByteSpan associated, ByteSpan plain) {
  const CipherPtr context = Start(Way::kEncrypt, key, nonce, associated);
  Bytes sealed(plain.size() + kSealBytes);
  int length = 0;
  if (!plain.empty())
    CONSILIUM_CHECK(
        EVP_CipherUpdate(context.get(), sealed.data(), &length, plain.data(), static_cast<int>(plain.size())) == 1);
  CONSILIUM_CHECK(EVP_CipherFinal_ex(context.get(), sealed.data() + plain.size(), &length) == 1 &&
                  EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kSealBytes, sealed.data() + plain.size()) ==
                      1);
  return sealed;
}

StatusOr<SecretBytes> Open(const SecretBytes& key, const Nonce& nonce, ByteSpan associated, ByteSpan sealed) {
  const auto refused = [] {
    ERR_clear_error();
    return Unauthenticated("a sealed message does not open: it was changed, or sealed for somebody else");
  };
  if (sealed.size() < kSealBytes) return refused();
  const ByteSpan cipher = sealed.first(sealed.size() - kSealBytes);
  const CipherPtr context = Start(Way::kDecrypt, key, nonce, associated);
  SecretBytes plain(cipher.size());
  Bytes tag(sealed.end() - kSealBytes, sealed.end());
  int length = 0;
  if (!cipher.empty())
    CONSILIUM_CHECK(EVP_CipherUpdate(context.get(), plain.RevealMutable().data(), &length, cipher.data(),
                                     static_cast<int>(cipher.size())) == 1);
  CONSILIUM_CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kSealBytes, tag.data()) == 1);
  std::uint8_t none = 0;
  if (EVP_CipherFinal_ex(context.get(), &none, &length) != 1) return refused();
  return plain;
}

}  // namespace consilium::crypto
