#include "comm/transport/peer_name.h"

#include <algorithm>

#include "comm/base/ids.h"

namespace consilium::transport {
namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr Right kRights[] = {Right::kSubmit, Right::kView, Right::kAbort};

std::string Joined(const Rights& rights, std::string_view separator) {
  std::string text;
  for (const Right right : rights) text += Concat(text.empty() ? "" : separator, RightName(right));
  return text;
}

// "submit.view"
StatusOr<Rights> RightsFromPath(const std::string& path) {
  Rights rights;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    ASSIGN_OR_RETURN(const Right right, RightFromName(path.substr(begin, end - begin)));
    rights.insert(right);
    begin = end + 1;
  }
  if (Joined(rights, ".") != path) return InvalidArgument("rights out of order");  // one party, one URI
  return rights;
}

}  // namespace

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kCoordinator:
      return "coordinator";
    case Role::kSite:
      return "site";
    case Role::kOperator:
      return "operator";
  }
  return "unknown";
}

StatusOr<Role> RoleFromName(const std::string& name) {
  for (const Role role : {Role::kCoordinator, Role::kSite, Role::kOperator})
    if (name == RoleName(role)) return role;
  return InvalidArgument("'", name.substr(0, 64), "' is not a role; known: coordinator, site, operator");
}

std::string_view RightName(Right right) {
  switch (right) {
    case Right::kSubmit:
      return "submit";
    case Right::kView:
      return "view";
    case Right::kAbort:
      return "abort";
  }
  return "unknown";
}

StatusOr<Right> RightFromName(const std::string& name) {
  for (const Right right : kRights)
    if (name == RightName(right)) return right;
  return InvalidArgument("'", name.substr(0, 64), "' is not a role of an operator; known: submit, view, abort");
}

Rights AllRights() { return {std::begin(kRights), std::end(kRights)}; }

std::string ToString(const Rights& rights) { return rights.empty() ? "none" : Joined(rights, ", "); }

std::string ToUri(const PeerName& peer) {
  const std::string rights = peer.role == Role::kOperator ? Joined(peer.rights, ".") : "";
  return Concat(kScheme, peer.project, "/", RoleName(peer.role), "/", peer.name, rights.empty() ? "" : "/", rights);
}

StatusOr<PeerName> PeerNameFromUri(const std::string& uri) {
  const auto bad = [&] {
    return Unauthenticated(
        "the certificate's URI '", uri.substr(0, 256),
        "' is not of the form spiffe://PROJECT/ROLE/NAME with a role of coordinator, site or operator (and for an "
        "operator what it may do: /submit.view.abort)");
  };
  if (!uri.starts_with(kScheme)) return bad();
  const std::string path = uri.substr(kScheme.size());
  const std::size_t first = path.find('/');
  const std::size_t second = first == std::string::npos ? first : path.find('/', first + 1);
  if (second == std::string::npos) return bad();
  const StatusOr<Role> role = RoleFromName(path.substr(first + 1, second - first - 1));
  if (!role.ok()) return bad();
  PeerName peer{path.substr(0, first), *role, path.substr(second + 1)};
  if (const std::size_t third = peer.name.find('/'); *role == Role::kOperator && third != std::string::npos) {
    StatusOr<Rights> rights = RightsFromPath(peer.name.substr(third + 1));
    if (!rights.ok()) return bad();
    peer.rights = *std::move(rights);
    peer.name.resize(third);
  }
  // A valid name has no '/', so nothing can hide behind it.
  if (!IsValidName(peer.project) || !IsValidName(peer.name)) return bad();
  return peer;
}

std::string CoordinatorDnsName(const std::string& project, const std::string& coordinator) {
  return coordinator + "." + project + ".consilium";
}

}  // namespace consilium::transport
