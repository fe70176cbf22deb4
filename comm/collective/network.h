// Which network interface reaches whom.
#pragma once

#include <string>
#include <vector>

#include "comm/base/status.h"

namespace consilium::collective {

std::string HostName();
// Equal for processes that share a loopback interface: the same boot of the same machine, and the same network
// namespace (two containers on one machine do not).
std::string LoopbackIdentity();
// "lo".  Errors: Rendezvous.
StatusOr<std::string> LoopbackInterface();

struct Route {
  std::string interface;  // "eth0"
  std::string address;    // our own address on it
  bool loopback = false;
};
// Where the system would send packets to `host` (nothing is sent).  Errors: Rendezvous: the name does not resolve, no
// route.
StatusOr<Route> RouteTo(const std::string& host);
// Names that others may reach this host by: its addresses on interfaces that are up, loopback left out, then its name.
std::vector<std::string> OwnAddresses();
// Does something accept connections there?
bool CanConnect(const std::string& host, int port);

}  // namespace consilium::collective
