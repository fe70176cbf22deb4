// A channel to the coordinator, connected and verified: what sites and operators begin with.
#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "comm/transport/grpc/grpc_client.h"
#include "comm/transport/grpc/own_certificate.h"

namespace consilium::transport {

// Blocking, at most options.connect_timeout, and as long again to find out why it failed.  Errors as ConnectGrpc's.
StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const GrpcClientOptions& options, const OwnCertificate& own);

}  // namespace consilium::transport
