#include "privacy/crypto/raw_keys.h"

#include <openssl/evp.h>

#include "privacy/crypto/key_pem.h"
#include "privacy/crypto/openssl.h"

namespace consilium::crypto {
namespace {

constexpr std::size_t kSeedBytes = 32;

using ContextPtr = std::unique_ptr<EVP_PKEY_CTX, Freer<&EVP_PKEY_CTX_free>>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, Freer<&EVP_MD_CTX_free>>;

std::shared_ptr<EVP_PKEY> KeyFromSeed(int type, const SecretBytes& seed) {
  EVP_PKEY* key = EVP_PKEY_new_raw_private_key(type, nullptr, seed.Reveal().data(), seed.Reveal().size());
  CONSILIUM_CHECK(key != nullptr, "OpenSSL takes any 32 bytes for such a key");
  return std::shared_ptr<EVP_PKEY>(key, &EVP_PKEY_free);
}

RawPublicKey PublicOf(EVP_PKEY* key) {
  RawPublicKey bytes;
  std::size_t size = bytes.size();
  CONSILIUM_CHECK(EVP_PKEY_get_raw_public_key(key, bytes.data(), &size) == 1 && size == bytes.size());
  return bytes;
}

KeyPtr PublicKey(int type, const RawPublicKey& bytes) {
  return KeyPtr(EVP_PKEY_new_raw_public_key(type, nullptr, bytes.data(), bytes.size()));
}

Status CheckSeed(const SecretBytes& seed) {
  const std::size_t size = seed.Reveal().size();
  return size == kSeedBytes ? Status() : InvalidArgument("a key's seed has ", size, " bytes, expected ", kSeedBytes);
}

}  // namespace

AgreementKey::AgreementKey(std::shared_ptr<EVP_PKEY> key) : key_(std::move(key)), public_(PublicOf(key_.get())) {}

AgreementKey AgreementKey::Generate(Entropy& entropy) {
  return AgreementKey(KeyFromSeed(EVP_PKEY_X25519, RandomSecret(entropy, kSeedBytes)));
}

StatusOr<AgreementKey> AgreementKey::FromSeed(const SecretBytes& seed) {
  RETURN_IF_ERROR(CheckSeed(seed));
  return AgreementKey(KeyFromSeed(EVP_PKEY_X25519, seed));
}

StatusOr<SecretBytes> AgreementKey::Agree(const RawPublicKey& peer) const {
  const KeyPtr other = PublicKey(EVP_PKEY_X25519, peer);
  const ContextPtr context(EVP_PKEY_CTX_new(key_.get(), nullptr));
  CONSILIUM_CHECK(other != nullptr && context != nullptr && EVP_PKEY_derive_init(context.get()) == 1 &&
                  EVP_PKEY_derive_set_peer(context.get(), other.get()) == 1);
  SecretBytes shared(32);
  std::size_t size = 32;
  if (EVP_PKEY_derive(context.get(), shared.RevealMutable().data(), &size) != 1 || size != 32) {
    ERR_clear_error();
    return InvalidArgument("the peer's public key ", ToHex(peer), " has small order: no secret can be shared with it");
  }
  return shared;
}

SigningKey::SigningKey(std::shared_ptr<EVP_PKEY> key) : key_(std::move(key)), public_(PublicOf(key_.get())) {}

SigningKey SigningKey::Generate(Entropy& entropy) {
  return SigningKey(KeyFromSeed(EVP_PKEY_ED25519, RandomSecret(entropy, kSeedBytes)));
}

StatusOr<SigningKey> SigningKey::FromSeed(const SecretBytes& seed) {
  RETURN_IF_ERROR(CheckSeed(seed));
  return SigningKey(KeyFromSeed(EVP_PKEY_ED25519, seed));
}

StatusOr<SigningKey> SigningKey::FromPem(const SecretBytes& pem) {
  ASSIGN_OR_RETURN(std::shared_ptr<EVP_PKEY> key, KeyFromPem(pem));
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519)
    return InvalidArgument("it is a private key of another kind (a TLS key?); signing needs an Ed25519 key");
  return SigningKey(std::move(key));
}

StatusOr<SecretBytes> SigningKey::ToPem() const { return KeyToPem(key_.get()); }

Signature SigningKey::Sign(ByteSpan message) const {
  const DigestPtr context(EVP_MD_CTX_new());
  Signature signature;
  std::size_t size = signature.size();
  CONSILIUM_CHECK(context != nullptr && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
                      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) == 1,
                  "signing failed");
  return signature;
}

bool Verify(const RawPublicKey& key, ByteSpan message, const Signature& signature) {
  const KeyPtr loaded = PublicKey(EVP_PKEY_ED25519, key);
  const DigestPtr context(EVP_MD_CTX_new());
  const bool good =
      loaded != nullptr && context != nullptr &&
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, loaded.get()) == 1 &&
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
  if (!good) ERR_clear_error();
  return good;
}

}  // namespace consilium::crypto
