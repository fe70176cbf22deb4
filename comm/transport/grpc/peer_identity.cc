#include "comm/transport/grpc/peer_identity.h"

#include <grpc/grpc_security_constants.h>

namespace consilium::transport {

StatusOr<PeerName> PeerIdentity(const grpc::AuthContext& context) {
  if (!context.IsPeerAuthenticated()) return Unauthenticated("the peer showed no certificate");
  const auto uris = context.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME);
  if (uris.size() != 1)
    return Unauthenticated("the certificate has ", uris.size(), " URI names, expected one: spiffe://PROJECT/ROLE/NAME");
  return PeerNameFromUri(std::string(uris.front().data(), uris.front().size()));
}

}  // namespace consilium::transport
