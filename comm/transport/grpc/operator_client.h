// An operator's (or a site's) connection for questions: gRPC over mutual TLS 1.3.
#pragma once

#include <memory>

#include "comm/transport/grpc/grpc_client.h"
#include "comm/transport/operator.h"

namespace consilium::transport {

// `options` as for a site (ClientOptionsFrom); blobs and hello are not used.  `role` is that of the kit: operator or
// site.  Connects (blocking, at most connect_timeout, and as long again to find out why it failed).  Errors as
// ConnectGrpc's.
StatusOr<std::unique_ptr<OperatorTransport>> ConnectOperator(const GrpcClientOptions& options, Role role);

}  // namespace consilium::transport
