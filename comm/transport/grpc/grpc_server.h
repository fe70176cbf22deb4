// The coordinator's door: gRPC over TLS 1.3 with client certificates.
//
// A site is who its certificate says; a certificate of another project, role or CA, or of a site that is not on the
// roster, is refused with a reason on both sides.  Nothing that one site sends, or fails to send, delays another.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "comm/base/time.h"
#include "comm/transport/kit.h"
#include "comm/transport/operator.h"
#include "comm/transport/transport.h"

namespace consilium::transport {

struct GrpcServerOptions {
  std::string address = "0.0.0.0";
  int port = 0;  // 0: a free one
  TlsFiles tls;
  BlobStore* blobs = nullptr;  // outlives the transport
  // The roster.
  std::vector<SiteName> sites;
  // Serial numbers of certificates (hexadecimal, lower case) that were revoked before their end, and why.
  std::map<std::string, std::string> revoked;
  // Answers operators; nullptr: they are refused.  Outlives the transport.
  OperatorEvents* operators = nullptr;

  // Told to sites in Welcome.  A session that says nothing for silence_timeout is closed (kDeadlineExceeded).
  Duration heartbeat_interval = std::chrono::seconds(3);
  Duration silence_timeout = std::chrono::seconds(30);
  // From the opened stream to Hello.
  Duration hello_timeout = std::chrono::seconds(10);
  // A transfer without a finished chunk for so long is cancelled.
  Duration stall_timeout = std::chrono::seconds(120);
  // A larger manifest is refused before anything is stored or allocated.
  std::uint64_t blob_bytes_max = std::uint64_t{2} << 30;
  std::size_t queued_messages_max = 256;   // per session, towards the site
  std::size_t transfers_per_site_max = 4;  // at one time
};

// From the coordinator's kit: address, port, TLS files, roster.
GrpcServerOptions ServerOptionsFrom(const Kit& kit);

// Listens.  Welcome is sent by the transport, before OnConnect; so are the refusals of identity, roster and version,
// of which `events` hears nothing.  `events` outlives the transport.  Shutdown() must not be called from a callback.
// Errors: Unauthenticated when our own certificate cannot be used, Unavailable when the port cannot be had.
StatusOr<std::unique_ptr<CoordinatorTransport>> StartGrpcServer(GrpcServerOptions options, CoordinatorEvents* events);

}  // namespace consilium::transport
