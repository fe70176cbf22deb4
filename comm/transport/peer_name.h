// Who a certificate is for: the identity inside it, in words that people, OpenSSL and SPIFFE tools read alike.
//
// The identity is the certificate's one URI: "spiffe://<project>/<role>/<name>" (the form of a SPIFFE X.509 identity,
// https://github.com/spiffe/spiffe, X509-SVID section 2).  The subject repeats it for people: O=project, OU=role,
// CN=name.  Nobody takes an identity from the subject or from a message.
//
// An operator's identity also says what it may do, in a fourth part: "spiffe://<project>/operator/<name>/submit.view".
#pragma once

#include <set>
#include <string>

#include "comm/base/status.h"

namespace consilium::transport {

enum class Role { kCoordinator, kSite, kOperator };
std::string_view RoleName(Role role);  // "coordinator", "site", "operator"
StatusOr<Role> RoleFromName(const std::string& name);

// What an operator may do with a coordinator's jobs.
enum class Right { kSubmit, kView, kAbort };
using Rights = std::set<Right>;
std::string_view RightName(Right right);  // "submit", "view", "abort"
StatusOr<Right> RightFromName(const std::string& name);
Rights AllRights();
std::string ToString(const Rights& rights);  // "submit, view", "none"

struct PeerName {
  std::string project;  // "hippocampus"
  Role role = Role::kSite;
  std::string name;    // "hospital-a"
  Rights rights = {};  // of an operator
  friend bool operator==(const PeerName&, const PeerName&) = default;
};

std::string ToUri(const PeerName& peer);  // "spiffe://hippocampus/site/hospital-a"
// The one URI of a party: rights in the order of Right, each once.  Errors: Unauthenticated, naming the URI and what it
// should look like.
StatusOr<PeerName> PeerNameFromUri(const std::string& uri);
// The DNS name in a coordinator's certificate that sites check, whatever address or tunnel they reached it through:
// "coordinator.hippocampus.consilium".
std::string CoordinatorDnsName(const std::string& project, const std::string& coordinator);

}  // namespace consilium::transport
