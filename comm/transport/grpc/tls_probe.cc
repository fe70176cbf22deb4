#include "comm/transport/grpc/tls_probe.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>

#include "comm/transport/grpc/certificate_words.h"
#include "comm/transport/grpc/openssl_handles.h"

namespace consilium::transport {
namespace {

constexpr std::chrono::seconds kWaitForRejection{1};

BioPtr Memory(const std::string& text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// OpenSSL writes to sockets with write(2), which raises SIGPIPE when the peer has hung up.  Holds it back in this
// thread and takes away what came, if it was not pending before.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    sigset_t pending;
    ::sigemptyset(&sigpipe_);
    ::sigaddset(&sigpipe_, SIGPIPE);
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &sigpipe_, &previous_);
  }
  ~WithoutSigpipe() {
    const timespec no_wait{};
    while (!was_pending_ && ::sigtimedwait(&sigpipe_, nullptr, &no_wait) == SIGPIPE) continue;
    ::pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;

 private:
  sigset_t sigpipe_, previous_;
  bool was_pending_ = false;
};

// What the verification of the peer's certificate complained about first.
struct Complaint {
  int error = X509_V_OK;
  X509Ptr certificate;
};

int RememberComplaint(int trusted, X509_STORE_CTX* context) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* complaint = static_cast<Complaint*>(SSL_get_app_data(ssl));
  if (trusted != 1 && complaint->error == X509_V_OK) {
    complaint->error = X509_STORE_CTX_get_error(context);
    X509* certificate = X509_STORE_CTX_get0_cert(context);  // the peer's own, also when the fault is above it
    if (complaint->error == X509_V_ERR_CERT_HAS_EXPIRED || complaint->error == X509_V_ERR_CERT_NOT_YET_VALID)
      certificate = X509_STORE_CTX_get_current_cert(context);
    X509_up_ref(certificate);
    complaint->certificate.reset(certificate);
  }
  return trusted;
}

struct Probe {
  const TlsProbeOptions& options;
  const OwnCertificate& own;
  Instant deadline;
  X509Ptr authority;
  Complaint complaint;

  std::string where() const { return HostAndPort(options.host, options.port); }
  StatusOr<SslContextPtr> MakeContext();
  StatusOr<SslPtr> MakeConnection(SSL_CTX* context, const Socket& socket);
  Status Handshake(SSL* ssl, const Socket& socket);
  Status ExplainHandshake(SSL* ssl, int result);
  Status AwaitRejection(SSL* ssl, const Socket& socket);
  Status ExplainAlert(int alert);
};

StatusOr<SslContextPtr> Probe::MakeContext() {
  SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  authority.reset(PEM_read_bio_X509(Memory(own.ca_pem).get(), nullptr, nullptr, nullptr));
  const X509Ptr certificate(PEM_read_bio_X509(Memory(own.certificate_pem).get(), nullptr, nullptr, nullptr));
  const KeyPtr key(PEM_read_bio_PrivateKey(Memory(own.key_pem).get(), nullptr, nullptr, nullptr));
  const bool made = context && authority && SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1 &&
                    X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), authority.get()) == 1 &&
                    SSL_CTX_use_certificate(context.get(), certificate.get()) == 1 &&
                    SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1;
  if (!made) return Failed("preparing a TLS connection");
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, &RememberComplaint);
  return context;
}

StatusOr<SslPtr> Probe::MakeConnection(SSL_CTX* context, const Socket& socket) {
  static constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  SslPtr ssl(SSL_new(context));
  if (!ssl || SSL_set_fd(ssl.get(), socket.get()) != 1 ||
      SSL_set_tlsext_host_name(ssl.get(), options.dns_name.c_str()) != 1 ||
      SSL_set1_host(ssl.get(), options.dns_name.c_str()) != 1 ||
      SSL_set_alpn_protos(ssl.get(), kHttp2, sizeof kHttp2) != 0)
    return Failed("preparing a TLS connection");
  SSL_set_app_data(ssl.get(), &complaint);
  return ssl;
}

Status Probe::Handshake(SSL* ssl, const Socket& socket) {
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(ssl);
    if (result == 1) return Status();
    const int error = SSL_get_error(ssl, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return ExplainHandshake(ssl, error);
    if (!WaitFor(socket, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline))
      return Unavailable(where(),
                         " accepts connections but does not answer a TLS greeting: is it the coordinator's port?");
  }
}

Status Probe::ExplainHandshake(SSL* ssl, int result) {
  if (complaint.error != X509_V_OK)
    return Unauthenticated(VerifyErrorInWords(complaint.error, "the coordinator's certificate",
                                              complaint.certificate.get(), authority.get()));
  const unsigned long error = ERR_peek_error();
  const int reason = ERR_GET_REASON(error);
  if (result == SSL_ERROR_SYSCALL || error == 0 || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return Unavailable(where(),
                       " closed the connection during the TLS handshake: is it the coordinator's port, or is there "
                       "a proxy or firewall in between?");
  if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG || reason == SSL_R_HTTP_REQUEST ||
      reason == SSL_R_BAD_PACKET_LENGTH || reason == SSL_R_RECORD_LENGTH_MISMATCH || reason == SSL_R_BAD_RECORD_TYPE)
    return Unauthenticated("what listens on ", where(),
                           " is not a TLS server: its answer is not TLS. Is it the coordinator's port, and not a plain "
                           "HTTP one or a proxy?");
  if (reason > SSL_AD_REASON_OFFSET) return ExplainAlert(reason - SSL_AD_REASON_OFFSET);
  const char* words = ERR_reason_error_string(error);
  (void)ssl;
  return Unauthenticated("the TLS handshake with ", where(), " failed: ", words == nullptr ? "no reason given" : words);
}

Status Probe::ExplainAlert(int alert) {
  switch (alert) {
    case SSL_AD_PROTOCOL_VERSION:
      return Unauthenticated(where(), " does not speak TLS 1.3, which is required");
    case SSL_AD_UNKNOWN_CA:
      return Unauthenticated(
          "the coordinator rejected our certificate: it is signed by an authority that the coordinator "
          "does not know. Both parties need kits from the same run of `consilium provision`");
    case SSL_AD_CERTIFICATE_EXPIRED:
      return Unauthenticated("the coordinator rejected our certificate as expired; here it is valid until ",
                             FormatUtc(own.not_after), ". Is the coordinator's clock right?");
    default:
      return Unauthenticated("the coordinator rejected our certificate: ", SSL_alert_desc_string_long(alert));
  }
}

// In TLS 1.3 the client is done before the server has looked at the client's certificate: a rejection comes afterwards,
// as an alert or as an end.  A gRPC server that is content sends its settings at once.
Status Probe::AwaitRejection(SSL* ssl, const Socket& socket) {
  const Instant until = std::min(deadline, SystemClock().Now() + kWaitForRejection);
  for (;;) {
    char byte = 0;
    ERR_clear_error();
    const int size = SSL_read(ssl, &byte, 1);
    if (size > 0) return Status();
    const int error = SSL_get_error(ssl, size);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
      if (!WaitFor(socket, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until)) return Status();
      continue;
    }
    const int reason = ERR_GET_REASON(ERR_peek_error());
    if (error == SSL_ERROR_SSL && reason > SSL_AD_REASON_OFFSET) return ExplainAlert(reason - SSL_AD_REASON_OFFSET);
    return Unauthenticated(
        "the coordinator closed the connection on seeing our certificate (", own.self.name, " of project ",
        own.self.project,
        "). It is of another authority than the coordinator's, or expired by the coordinator's clock, or not a site's; "
        "the coordinator's log says which (event=tls_handshake_failed)");
  }
}

}  // namespace

Status ProbeTls(const TlsProbeOptions& options, const OwnCertificate& own) {
  const WithoutSigpipe guard;
  Probe probe{options, own, SystemClock().Now() + options.timeout, nullptr, {}};
  ASSIGN_OR_RETURN(const Socket socket, DialThrough(options.proxy, options.host, options.port, probe.deadline));
  ASSIGN_OR_RETURN(const SslContextPtr context, probe.MakeContext());
  ASSIGN_OR_RETURN(const SslPtr ssl, probe.MakeConnection(context.get(), socket));
  Status status = probe.Handshake(ssl.get(), socket);
  if (status.ok()) status = probe.AwaitRejection(ssl.get(), socket);
  ERR_clear_error();
  return status;
}

}  // namespace consilium::transport
