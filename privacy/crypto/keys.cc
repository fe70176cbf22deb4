#include "privacy/crypto/keys.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "comm/base/digest.h"
#include "privacy/crypto/key_pem.h"
#include "privacy/crypto/openssl.h"

namespace consilium::crypto {
namespace {

using DigestPtr = std::unique_ptr<EVP_MD_CTX, Freer<&EVP_MD_CTX_free>>;

// Through DER, so that no private part can hide in what is called public.
PublicKey PublicHalf(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  CONSILIUM_CHECK(size > 0, "every key has a public half");
  const unsigned char* at = der;
  EVP_PKEY* half = d2i_PUBKEY(nullptr, &at, size);
  OPENSSL_free(der);
  CONSILIUM_CHECK(half != nullptr, "what OpenSSL wrote it can read");
  return PublicKey(std::shared_ptr<EVP_PKEY>(half, &EVP_PKEY_free));
}

}  // namespace

StatusOr<PrivateKey> PrivateKey::Generate() {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return OpensslFailure("making an EC P-256 key");
  return PrivateKey(std::shared_ptr<EVP_PKEY>(std::move(key)));
}

StatusOr<PrivateKey> PrivateKey::FromPem(const SecretBytes& pem) {
  ASSIGN_OR_RETURN(std::shared_ptr<EVP_PKEY> key, KeyFromPem(pem));
  return PrivateKey(std::move(key));
}

StatusOr<SecretBytes> PrivateKey::ToPem() const { return KeyToPem(key_.get()); }

StatusOr<Bytes> PrivateKey::Sign(ByteSpan message) const {
  const DigestPtr context(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, message.data(), message.size()) != 1)
    return OpensslFailure("signing");
  Bytes signature(size);
  if (EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1)
    return OpensslFailure("signing");
  signature.resize(size);
  return signature;
}

PublicKey PublicKey::Of(const PrivateKey& key) { return PublicHalf(key.get()); }
PublicKey PublicKey::Of(const SigningKey& key) { return PublicHalf(key.get()); }

StatusOr<PublicKey> PublicKey::FromPem(const std::string& pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  EVP_PKEY* key = PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr);
  ERR_clear_error();
  if (key == nullptr) return InvalidArgument("not a public key in PEM");
  return PublicKey(std::shared_ptr<EVP_PKEY>(key, &EVP_PKEY_free));
}

std::string PublicKey::ToPem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PUBKEY(bio.get(), get()) != 1) ERR_clear_error();
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

bool PublicKey::Matches(const PublicKey& other) const {
  const bool same = EVP_PKEY_eq(get(), other.get()) == 1;
  ERR_clear_error();
  return same;
}

bool PublicKey::is_p256() const {
  char group[32];
  std::size_t size = 0;
  const bool is = EVP_PKEY_get_base_id(get()) == EVP_PKEY_EC &&
                  EVP_PKEY_get_group_name(get(), group, sizeof group, &size) == 1 &&
                  std::string(group, size) == "prime256v1";
  ERR_clear_error();
  return is;
}

bool PublicKey::is_ed25519() const { return EVP_PKEY_get_base_id(get()) == EVP_PKEY_ED25519; }

StatusOr<RawPublicKey> PublicKey::Raw() const {
  RawPublicKey raw;
  std::size_t size = raw.size();
  if (!is_ed25519() || EVP_PKEY_get_raw_public_key(get(), raw.data(), &size) != 1 || size != raw.size())
    return InvalidArgument("it is not an Ed25519 key");
  return raw;
}

std::string PublicKey::Fingerprint() const {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(get(), &der);
  ERR_clear_error();
  if (size <= 0) return "";
  const Digest digest = Sha256Of(ByteSpan(der, static_cast<std::size_t>(size)));
  OPENSSL_free(der);
  return digest.ToHex();
}

bool PublicKey::Verify(ByteSpan message, ByteSpan signature) const {
  const DigestPtr context(EVP_MD_CTX_new());
  const bool good =
      context &&
      EVP_DigestVerifyInit(context.get(), nullptr, is_ed25519() ? nullptr : EVP_sha256(), nullptr, get()) == 1 &&
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace consilium::crypto
