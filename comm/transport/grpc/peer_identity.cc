#include "comm/transport/grpc/peer_identity.h"

#include <grpc/grpc_security_constants.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "comm/base/bytes.h"
#include "comm/transport/grpc/openssl_handles.h"

namespace consilium::transport {

namespace {

// "" for what is no certificate, which the handshake does not let through.
std::string SerialOf(const std::string& pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!certificate) return "";
  const std::unique_ptr<BIGNUM, Freer<&BN_free>> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate.get()), nullptr));
  if (!number) return "";
  Bytes bytes(static_cast<std::size_t>(BN_num_bytes(number.get())));
  BN_bn2bin(number.get(), bytes.data());
  return ToHex(bytes);
}

Status CheckNotRevoked(const grpc::AuthContext& context, const RevokedCertificates& revoked) {
  if (revoked.empty()) return Status();
  const auto pem = context.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  const std::string serial = pem.empty() ? "" : SerialOf(std::string(pem.front().data(), pem.front().size()));
  if (serial.empty()) return Unauthenticated("the peer's certificate cannot be read");
  const auto found = revoked.find(serial);
  if (found == revoked.end()) return Status();
  return PermissionDenied("the certificate ", serial, " was revoked: ", found->second,
                          ". A new one comes with `consilium enroll`");
}

}  // namespace

StatusOr<PeerName> PeerIdentity(const grpc::AuthContext& context, const RevokedCertificates& revoked) {
  if (!context.IsPeerAuthenticated()) return Unauthenticated("the peer showed no certificate");
  const auto uris = context.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME);
  if (uris.size() != 1)
    return Unauthenticated("the certificate has ", uris.size(), " URI names, expected one: spiffe://PROJECT/ROLE/NAME");
  RETURN_IF_ERROR(CheckNotRevoked(context, revoked));
  return PeerNameFromUri(std::string(uris.front().data(), uris.front().size()));
}

}  // namespace consilium::transport
