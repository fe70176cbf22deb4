// Who is at the other end of a call, as gRPC's TLS proved it.
#pragma once

#include <grpcpp/security/auth_context.h>

#include "comm/transport/peer_name.h"

namespace consilium::transport {

// From the certificate that the handshake verified.  Errors: Unauthenticated when it has no identity of ours, or more
// than one.
StatusOr<PeerName> PeerIdentity(const grpc::AuthContext& context);

}  // namespace consilium::transport
