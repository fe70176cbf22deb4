// One TLS 1.3 stream over loopback with OpenSSL alone: the yardstick for transports.
#pragma once

#include <memory>

#include "comm/base/digest.h"
#include "comm/transport/kit.h"

namespace consilium::bench {

class RawTls {
 public:
  // Both ends with a certificate of the project, as the federation has it; aborts when that fails.
  RawTls(const transport::TlsFiles& server, const transport::TlsFiles& client);
  ~RawTls();
  // Sends the bytes from one thread, receives and hashes them in another; the digest that the receiver found.
  Digest Send(ByteSpan bytes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace consilium::bench
