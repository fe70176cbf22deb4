// "hub.example.org:8443" taken apart.
#pragma once

#include <optional>
#include <string>

namespace consilium::transport {

struct HostPort {
  std::string host;  // without the brackets of an IPv6 address; "" in ":8443"
  int port = 0;      // 0 to 99999: which ones make sense is the caller's matter
};

// "hub:8443", "10.0.0.1:8443", "[2001:db8::1]:8443", ":8443".  Nothing without a port of 1 to 5 digits, and for a bare
// IPv6 address, where nobody can tell which colon begins the port.
std::optional<HostPort> SplitHostPort(const std::string& text);

}  // namespace consilium::transport
