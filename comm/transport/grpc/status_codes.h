// Our Status across a gRPC call and back: the exact code travels in the status details, for peers that are not ours the
// nearest gRPC code stands.  The one guard where gRPC's codes become ours.
#pragma once

#include <grpcpp/support/status.h>

#include "comm/base/status.h"

namespace consilium::transport {

grpc::Status ToGrpcStatus(const Status& status);
// Calls that broke without a word from the peer are Unavailable: trying again is right.
Status FromGrpcStatus(const grpc::Status& status);
// The peer itself answered so (not the network, not a proxy on the way).
bool IsFromPeer(const grpc::Status& status);

}  // namespace consilium::transport
