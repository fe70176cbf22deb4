// Which HTTP proxy a connection goes through, and the CONNECT that opens the way (RFC 9110, section 9.3.6).  Hospitals
// let machines out through one; TLS runs end to end inside, so the proxy sees the coordinator's address and no more.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "comm/transport/grpc/tcp_dial.h"

namespace consilium::transport {

struct Proxy {
  std::string host;
  int port = 0;
  std::string authorization;  // "Basic ...", or "" when the proxy wants no name; never to be logged
  std::string where() const;  // "proxy.example.org:3128"
};

// "http://[NAME:PASSWORD@]HOST:PORT", or HOST:PORT; name and password percent-encoded.  Errors: InvalidArgument, which
// does not repeat the password.
StatusOr<Proxy> ParseProxy(const std::string& url);

// Does `no_proxy` ("localhost,.example.org,10.0.0.0/8,*") name this host?  A name also names what is below it.
bool GoesAround(std::string_view no_proxy, const std::string& host);

using Environment = std::function<std::optional<std::string>(const char* name)>;
Environment ProcessEnvironment();

// `setting`: a URL; "none"; or "" for the variables https_proxy and no_proxy (in capitals when the small ones are
// absent; this machine itself is never looked for behind them).  Nothing: no proxy.
StatusOr<std::optional<Proxy>> ChooseProxy(const std::string& setting, const std::string& host,
                                           const Environment& environment);

// DialTcp, through the proxy when there is one.  Errors: as DialTcp; Unauthenticated when the proxy wants a name and
// password, PermissionDenied when it refuses this way, FailedPrecondition when it is no proxy.
StatusOr<Socket> DialThrough(const std::optional<Proxy>& proxy, const std::string& host, int port, Instant deadline);

// "[::1]:8443", "hub.example.org:8443".
std::string HostAndPort(const std::string& host, int port);
bool IsLoopback(const std::string& host);

}  // namespace consilium::transport
