// A site's connection to its coordinator: gRPC over mutual TLS 1.3, outward only.
#pragma once

#include <memory>
#include <string>

#include "comm/base/time.h"
#include "comm/transport/kit.h"
#include "comm/transport/transport.h"

namespace consilium::transport {

struct GrpcClientOptions {
  std::string host;
  int port = 0;
  // Must be proven by the coordinator's certificate, together with our own certificate's project.
  std::string coordinator_name = "coordinator";
  // An HTTP proxy as ChooseProxy (grpc/proxy.h) reads it: a URL, "none", or "" for the environment's https_proxy.
  std::string proxy;
  TlsFiles tls;
  BlobStore* blobs = nullptr;  // where Fetch puts blobs; outlives the transport
  wire::Hello hello;

  // For the connection, then again for the answer to Hello.
  Duration connect_timeout = std::chrono::seconds(10);
  // Fetch and Upload give up (kDeadlineExceeded) when no chunk gets through for so long.
  Duration stall_timeout = std::chrono::seconds(120);
  // Pings on an idle connection find a dead peer or a firewall that forgot us after twice this time.
  Duration keepalive = std::chrono::seconds(20);
  std::size_t queued_messages_max = 256;
};

// From a site's kit: host, port, names, TLS files.  The caller adds blobs and hello.
GrpcClientOptions ClientOptionsFrom(const Kit& kit);

// Checks our own certificate, connects (blocking, at most connect_timeout, and as long again to find out why it
// failed), opens the session and sends Hello.  From then on `events` hears of everything: first Welcome or Refusal, at
// last one OnDisconnect.  `events` outlives the transport; Close() must not be called from a callback. Errors, in which
// case `events` hears nothing; codes as for OnDisconnect: Unavailable (try again later: refused connection, no answer),
// or Unauthenticated / FailedPrecondition when a person has to mend something first: our certificate expired, the
// coordinator's is of another CA, what listens there is no TLS server, ...
StatusOr<std::unique_ptr<SiteTransport>> ConnectGrpc(GrpcClientOptions options, SiteEvents* events);

}  // namespace consilium::transport
