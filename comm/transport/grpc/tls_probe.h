// Finds out why a connection failed, by trying once with OpenSSL alone: gRPC reports little more than "failed to
// connect".
#pragma once

#include <string>

#include "comm/base/time.h"
#include "comm/transport/grpc/own_certificate.h"
#include "comm/transport/grpc/proxy.h"

namespace consilium::transport {

struct TlsProbeOptions {
  std::string host;
  int port = 0;
  std::optional<Proxy> proxy;  // on the way there
  std::string dns_name;        // that the coordinator's certificate must have
  Duration timeout = std::chrono::seconds(5);
};

// Blocking, at most about `timeout` (a name lookup has its own limit).  OK: a TLS 1.3 peer with the right certificate
// is there, and did not refuse ours within a second.  Unavailable: trying again later may help.  Unauthenticated: it
// will not.  Also what DialThrough finds wrong with a proxy.
Status ProbeTls(const TlsProbeOptions& options, const OwnCertificate& own);

}  // namespace consilium::transport
