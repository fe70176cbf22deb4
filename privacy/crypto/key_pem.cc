#include "privacy/crypto/key_pem.h"

#include <openssl/pem.h>

#include "privacy/crypto/openssl.h"

namespace consilium::crypto {
namespace {

// A PEM reader's default is to ask a terminal for the passphrase of an encrypted key.
int NoPassphrase(char*, int, int, void*) { return -1; }

}  // namespace

StatusOr<std::shared_ptr<EVP_PKEY>> KeyFromPem(const SecretBytes& pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.Reveal().data(), static_cast<int>(pem.Reveal().size())));
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassphrase, nullptr));
  if (!key) return InvalidArgument(OpensslFailure("not an unencrypted private key in PEM").message());
  return std::shared_ptr<EVP_PKEY>(std::move(key));
}

StatusOr<SecretBytes> KeyToPem(EVP_PKEY* key) {
  // BIO_s_secmem, so that the buffer is wiped when it is freed.
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return OpensslFailure("writing a private key");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return SecretBytes(Bytes(data, data + size));
}

}  // namespace consilium::crypto
