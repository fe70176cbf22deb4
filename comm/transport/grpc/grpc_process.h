// What gRPC keeps per process and must be told before its first use.
#pragma once

namespace consilium::transport {

// Restricts TLS to version 1.3 and brings gRPC's own messages into our log.  Idempotent and thread-safe; called before
// any credentials are made.
//
// gRPC's C++ API has no minimum TLS version.  What it does have is the list of TLS 1.2 cipher suites, from the
// environment: with one that needs an RSA key, and certificates that have EC keys (checked in own_certificate.h), no
// handshake below 1.3 can succeed.
void PrepareGrpcProcess();

}  // namespace consilium::transport
