#include "privacy/crypto/request.h"

#include <openssl/pem.h>

#include "privacy/crypto/openssl.h"

namespace consilium::crypto {
namespace {

using RequestPtr = std::unique_ptr<X509_REQ, Freer<&X509_REQ_free>>;

StatusOr<std::string> Make(const std::string& common_name, EVP_PKEY* key, const EVP_MD* digest) {
  const RequestPtr request(X509_REQ_new());
  const auto* name = reinterpret_cast<const unsigned char*>(common_name.data());
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!request || !bio || X509_REQ_set_version(request.get(), 0) != 1 ||
      X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request.get()), "CN", MBSTRING_UTF8, name,
                                 static_cast<int>(common_name.size()), -1, 0) != 1 ||
      X509_REQ_set_pubkey(request.get(), key) != 1 || X509_REQ_sign(request.get(), key, digest) == 0 ||
      PEM_write_bio_X509_REQ(bio.get(), request.get()) != 1)
    return OpensslFailure("making a certificate request");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

}  // namespace

StatusOr<std::string> MakeRequest(const std::string& common_name, const PrivateKey& key) {
  return Make(common_name, key.get(), EVP_sha256());
}

// Ed25519 hashes by itself.
StatusOr<std::string> MakeRequest(const std::string& common_name, const SigningKey& key) {
  return Make(common_name, key.get(), nullptr);
}

StatusOr<PublicKey> KeyOfRequest(const std::string& pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  EVP_PKEY* key = request ? X509_REQ_get_pubkey(request.get()) : nullptr;
  if (key == nullptr) return InvalidArgument("not a certificate request in PEM");
  PublicKey shown(std::shared_ptr<EVP_PKEY>(key, &EVP_PKEY_free));
  const bool proven = X509_REQ_verify(request.get(), key) == 1;
  ERR_clear_error();
  if (!proven)
    return Unauthenticated("the certificate request is not signed by its own key: it was changed on the way");
  return shown;
}

}  // namespace consilium::crypto
