// What gRPC keeps per process and must be told before its first use.
#pragma once

#include "comm/base/log.h"
#include "comm/base/time.h"

namespace consilium::transport {

// Restricts TLS to version 1.3 and brings gRPC's own messages into our log.  Idempotent and thread-safe; called before
// any credentials are made.
//
// gRPC's C++ API has no minimum TLS version.  What it does have is the list of TLS 1.2 cipher suites, from the
// environment: with one that needs an RSA key, and certificates that have EC keys (checked in own_certificate.h), no
// handshake below 1.3 can succeed.
void PrepareGrpcProcess();

// Lets a few events a second through, and counts the others: a client that tries again and again must not fill the
// disk. Thread-safe.
class LogLimiter {
 public:
  explicit LogLimiter(int events_per_second_max, const Clock& clock = SystemClock());
  ~LogLimiter();
  // Whether to log now; *suppressed is how many were not, since the last that was.
  bool Admit(std::uint64_t* suppressed);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace consilium::transport
