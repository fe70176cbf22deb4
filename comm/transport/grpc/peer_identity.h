// Who is at the other end of a call, as gRPC's TLS proved it.
#pragma once

#include <grpcpp/security/auth_context.h>

#include <map>
#include <string>

#include "comm/transport/peer_name.h"

namespace consilium::transport {

// Serial numbers of revoked certificates, hexadecimal in lower case, and why.
using RevokedCertificates = std::map<std::string, std::string>;

// From the certificate that the handshake verified.  Errors: Unauthenticated when it has no identity of ours, or more
// than one; PermissionDenied when it was revoked.
StatusOr<PeerName> PeerIdentity(const grpc::AuthContext& context, const RevokedCertificates& revoked);

}  // namespace consilium::transport
