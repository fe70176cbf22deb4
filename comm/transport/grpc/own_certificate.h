// Our own certificate, checked before it is shown to anybody: whoever rejects it could hardly tell us why.
#pragma once

#include <chrono>
#include <string>

#include "comm/transport/kit.h"

namespace consilium::transport {

struct OwnCertificate {
  PeerName self;
  std::string ca_pem, certificate_pem, key_pem;  // as gRPC wants them
  std::chrono::system_clock::time_point not_after;
};

// Errors: NotFound, InvalidArgument for files that are not PEM; Unauthenticated when the certificate has expired or is
// not valid yet, is not signed by the CA beside it, does not belong to the key, is of another role, or has a key that
// would let TLS 1.2 in.  Each says what to do.  Warns in the log from 30 days before the end.
StatusOr<OwnCertificate> LoadOwnCertificate(const TlsFiles& files, Role role);

}  // namespace consilium::transport
