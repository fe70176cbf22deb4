#include "comm/transport/grpc/handshake_reasons.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include <utility>

#include "comm/transport/grpc/certificate_words.h"

namespace consilium::transport {
namespace {

thread_local std::string last_complaint;

int NoteComplaint(int trusted, X509_STORE_CTX* context) {
  if (trusted == 1) return trusted;
  const auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const X509* certificate = X509_STORE_CTX_get_current_cert(context);
  if (ssl != nullptr && SSL_is_server(ssl) == 1 && certificate != nullptr)
    last_complaint = VerifyErrorInWords(X509_STORE_CTX_get_error(context), "the peer's certificate", certificate,
                                        /*authority=*/nullptr);
  return trusted;  // OpenSSL's verdict stands
}

// OpenSSL calls this at the end of each X509_STORE_new().
void OnNewStore(void* store, void*, CRYPTO_EX_DATA*, int, long, void*) {
  X509_STORE_set_verify_cb(static_cast<X509_STORE*>(store), &NoteComplaint);
}

}  // namespace

void WatchCertificateChecks() {
  (void)CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_X509_STORE, 0, nullptr, &OnNewStore, nullptr, nullptr);
}

std::string TakeCertificateComplaint() { return std::exchange(last_complaint, {}); }

}  // namespace consilium::transport
