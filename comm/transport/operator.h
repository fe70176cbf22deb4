// What carries an operator's questions to the coordinator.  Implemented over gRPC with mutual TLS in grpc/, and over a
// socket in the state folder for whoever works on the coordinator's own machine.
#pragma once

#include <functional>
#include <memory>

#include "comm/base/time.h"
#include "comm/transport/peer_name.h"
#include "comm/wire/operator.h"

namespace consilium::transport {

// Implemented by the coordinator's shell.
class OperatorEvents {
 public:
  virtual ~OperatorEvents() = default;
  // Once, from any thread; later calls do nothing.  Nobody may be listening any more.
  using Answer = std::function<void(StatusOr<wire::OperatorReply>)>;
  // `who` is an operator or a site, of this project, proven by its certificate.  Called from transport threads,
  // concurrently; must return soon.
  virtual void OnRequest(const PeerName& who, wire::OperatorRequest request, Answer answer) = 0;
};

// An operator's way to the coordinator.  Thread-safe.
class OperatorTransport {
 public:
  virtual ~OperatorTransport() = default;
  // Blocking; at most `timeout`.  Errors are the coordinator's own, or Unavailable (try again: it may be starting),
  // DeadlineExceeded.
  virtual StatusOr<wire::OperatorReply> Ask(const wire::OperatorRequest& request, Duration timeout) = 0;
};

}  // namespace consilium::transport
