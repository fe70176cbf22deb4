#include "comm/transport/grpc/own_certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "comm/base/file.h"
#include "comm/base/log.h"
#include "comm/base/time.h"
#include "comm/transport/grpc/certificate_words.h"
#include "comm/transport/grpc/openssl_handles.h"

namespace consilium::transport {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPemBytesMax = 1 << 20;
constexpr std::chrono::hours kWarnBefore{24 * 30};

// A PEM reader's default is to ask a terminal for the passphrase of an encrypted key.
int NoPassphrase(char*, int, int, void*) { return -1; }

BioPtr Memory(const std::string& text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

StatusOr<X509Ptr> ParseCertificate(const std::string& pem, const fs::path& file) {
  X509Ptr certificate(PEM_read_bio_X509(Memory(pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!certificate) return InvalidArgument(file.string(), " is not a certificate in PEM");
  return certificate;
}

Status CheckKey(const std::string& pem, const TlsFiles& files, X509* certificate) {
  const KeyPtr key(PEM_read_bio_PrivateKey(Memory(pem).get(), nullptr, &NoPassphrase, nullptr));
  ERR_clear_error();
  if (!key) return InvalidArgument(files.key.string(), " is not an unencrypted private key in PEM");
  const bool matches = X509_check_private_key(certificate, key.get()) == 1;
  ERR_clear_error();
  if (!matches)
    return Unauthenticated("the key ", files.key.string(), " does not belong to the certificate ",
                           files.certificate.string(), ": take both from one kit");
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_EC)
    return Unauthenticated("the key ", files.key.string(),
                           " is not an elliptic-curve key; with another kind TLS 1.2 could be negotiated, so only "
                           "EC keys are accepted (`consilium provision` makes P-256 keys)");
  return Status();
}

Status CheckChain(X509* certificate, X509* authority, Role role, const TlsFiles& files) {
  const StorePtr store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), authority);
  const StoreContextPtr context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr);
  X509_STORE_CTX_set_default(context.get(), role == Role::kCoordinator ? "ssl_server" : "ssl_client");
  const bool trusted = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (trusted) return Status();
  X509* culprit = X509_STORE_CTX_get_current_cert(context.get());
  const bool is_own = culprit == nullptr || X509_cmp(culprit, certificate) == 0;
  return Unauthenticated(VerifyErrorInWords(
      X509_STORE_CTX_get_error(context.get()),
      is_own ? Concat("our certificate ", files.certificate.string()) : Concat("our authority ", files.ca.string()),
      is_own ? certificate : culprit, authority));
}

StatusOr<PeerName> Identity(X509* certificate, const fs::path& file) {
  const std::string uri = UriInWords(certificate);
  if (uri.empty())
    return Unauthenticated("our certificate ", file.string(), " has no URI name spiffe://PROJECT/ROLE/NAME");
  return PeerNameFromUri(uri);
}

void WarnWhenNearEnd(const OwnCertificate& own) {
  const auto left = own.not_after - SystemClock().WallNow();
  if (left < kWarnBefore)
    Log(LogLevel::kWarning, "certificate_expires_soon",
        {{"name", own.self.name},
         {"expires", FormatUtc(own.not_after)},
         {"days_left", std::chrono::duration_cast<std::chrono::hours>(left).count() / 24}});
}

}  // namespace

StatusOr<OwnCertificate> LoadOwnCertificate(const TlsFiles& files, Role role) {
  OwnCertificate own;
  ASSIGN_OR_RETURN(own.ca_pem, ReadFile(files.ca, kPemBytesMax));
  ASSIGN_OR_RETURN(own.certificate_pem, ReadFile(files.certificate, kPemBytesMax));
  ASSIGN_OR_RETURN(own.key_pem, ReadFile(files.key, kPemBytesMax));
  ASSIGN_OR_RETURN(const X509Ptr authority, ParseCertificate(own.ca_pem, files.ca));
  ASSIGN_OR_RETURN(const X509Ptr certificate, ParseCertificate(own.certificate_pem, files.certificate));
  RETURN_IF_ERROR(CheckKey(own.key_pem, files, certificate.get()));
  ASSIGN_OR_RETURN(own.self, Identity(certificate.get(), files.certificate));
  if (own.self.role != role)
    return Unauthenticated("our certificate ", files.certificate.string(), " is for the ", RoleName(own.self.role),
                           " '", own.self.name, "'; here the ", RoleName(role), "'s is needed");
  RETURN_IF_ERROR(CheckChain(certificate.get(), authority.get(), role, files));
  own.not_after = NotAfter(certificate.get());
  WarnWhenNearEnd(own);
  return own;
}

}  // namespace consilium::transport
