// Who a certificate is for: the identity inside it, in words that people, OpenSSL and SPIFFE tools read alike.
//
// The identity is the certificate's one URI: "spiffe://<project>/<role>/<name>" (the form of a SPIFFE X.509 identity,
// https://github.com/spiffe/spiffe, X509-SVID section 2).  The subject repeats it for people: O=project, OU=role,
// CN=name.  Nobody takes an identity from the subject or from a message.
#pragma once

#include <string>

#include "comm/base/status.h"

namespace consilium::transport {

enum class Role { kCoordinator, kSite, kOperator };
std::string_view RoleName(Role role);  // "coordinator", "site", "operator"
StatusOr<Role> RoleFromName(const std::string& name);

struct PeerName {
  std::string project;  // "hippocampus"
  Role role = Role::kSite;
  std::string name;  // "hospital-a"
  friend bool operator==(const PeerName&, const PeerName&) = default;
};

std::string ToUri(const PeerName& peer);  // "spiffe://hippocampus/site/hospital-a"
// Errors: Unauthenticated, naming the URI and what it should look like.
StatusOr<PeerName> PeerNameFromUri(const std::string& uri);
// The DNS name in a coordinator's certificate that sites check, whatever address or tunnel they reached it through:
// "coordinator.hippocampus.consilium".
std::string CoordinatorDnsName(const std::string& project, const std::string& coordinator);

}  // namespace consilium::transport
