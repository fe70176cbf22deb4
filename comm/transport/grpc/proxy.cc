#include "comm/transport/grpc/proxy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "comm/base/base64.h"
#include "comm/transport/host_port.h"

namespace consilium::transport {
namespace {

constexpr char kExpected[] = "expected http://HOST:PORT or http://NAME:PASSWORD@HOST:PORT";

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string PercentDecoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0;
    decoded += escape ? static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return decoded;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

// An address's bytes: 4 or 16; none for a name.
std::string AddressBytes(const std::string& host) {
  char bytes[16];
  if (::inet_pton(AF_INET, host.c_str(), bytes) == 1) return std::string(bytes, 4);
  if (::inet_pton(AF_INET6, host.c_str(), bytes) == 1) return std::string(bytes, 16);
  return "";
}

// "10.0.0.0/8"
bool IsInNetwork(const std::string& host, std::string_view network) {
  const std::size_t slash = network.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string address = AddressBytes(host), base = AddressBytes(std::string(network.substr(0, slash)));
  std::size_t bits = 0;
  const std::string_view length = network.substr(slash + 1);
  const auto parsed = std::from_chars(length.data(), length.data() + length.size(), bits);
  if (parsed.ec != std::errc() || parsed.ptr != length.data() + length.size()) return false;
  if (address.empty() || address.size() != base.size() || bits > 8 * base.size()) return false;
  for (std::size_t bit = 0; bit < bits; ++bit)
    if (((address[bit / 8] ^ base[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}

bool Names(std::string_view entry, const std::string& host) {
  if (entry == "*") return true;
  if (IsInNetwork(host, entry)) return true;
  if (entry.starts_with("*.")) entry.remove_prefix(1);
  if (entry.starts_with(".")) return host.ends_with(entry) || host == entry.substr(1);
  return host == entry || (AddressBytes(host).empty() && host.ends_with("." + std::string(entry)));
}

std::optional<std::string> Variable(const Environment& environment, const char* small, const char* capital) {
  for (const char* name : {small, capital})
    if (std::optional<std::string> value = environment(name); value && !value->empty()) return value;
  return std::nullopt;
}

}  // namespace

std::string HostAndPort(const std::string& host, int port) {
  return Concat(host.find(':') == std::string::npos ? host : "[" + host + "]", ":", port);
}

bool IsLoopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

std::string Proxy::where() const { return HostAndPort(host, port); }

StatusOr<Proxy> ParseProxy(const std::string& url) {
  std::string_view rest = url;
  if (const std::size_t scheme = rest.find("://"); scheme != std::string_view::npos) {
    if (Lower(rest.substr(0, scheme)) != "http")
      return InvalidArgument("a proxy with the scheme '", rest.substr(0, std::min<std::size_t>(scheme, 16)),
                             "' is not supported; ", kExpected, " (the connection inside is encrypted all the same)");
    rest.remove_prefix(scheme + 3);
  }
  while (rest.ends_with('/')) rest.remove_suffix(1);
  Proxy proxy;
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = rest.substr(0, at);
    const std::size_t colon = user.find(':');
    const std::string name = PercentDecoded(user.substr(0, colon));
    const std::string password = colon == std::string_view::npos ? "" : PercentDecoded(user.substr(colon + 1));
    if ((name + password).find_first_of("\r\n") != std::string::npos)
      return InvalidArgument("the proxy's name and password cannot have line ends");
    proxy.authorization = "Basic " + ToBase64(AsBytes(name + ":" + password));
    rest.remove_prefix(at + 1);
  }
  const HostPort address = SplitHostPort(std::string(rest)).value_or(HostPort());
  const bool is_plain = std::none_of(address.host.begin(), address.host.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '/' || c == '@' || c == 0x7f;
  });
  if (address.port < 1 || address.port > 65535 || address.host.empty() || !is_plain)
    return InvalidArgument("the proxy's address has no host or no port: ", kExpected);
  proxy.host = address.host;
  proxy.port = address.port;
  return proxy;
}

bool GoesAround(std::string_view no_proxy, const std::string& host) {
  const std::string wanted = Lower(host);
  while (!no_proxy.empty()) {
    const std::size_t comma = std::min(no_proxy.find_first_of(", "), no_proxy.size());
    const std::string entry = Lower(no_proxy.substr(0, comma));
    no_proxy.remove_prefix(std::min(comma + 1, no_proxy.size()));
    if (!entry.empty() && Names(entry, wanted)) return true;
  }
  return false;
}

Environment ProcessEnvironment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

StatusOr<std::optional<Proxy>> ChooseProxy(const std::string& setting, const std::string& host,
                                           const Environment& environment) {
  if (setting == "none") return std::optional<Proxy>();
  if (!setting.empty()) {
    StatusOr<Proxy> proxy = ParseProxy(setting);
    if (!proxy.ok()) return Annotate(proxy.status(), "--proxy");
    return std::optional<Proxy>(std::move(*proxy));
  }
  const std::optional<std::string> url = Variable(environment, "https_proxy", "HTTPS_PROXY");
  if (!url || IsLoopback(host)) return std::optional<Proxy>();
  if (GoesAround(Variable(environment, "no_proxy", "NO_PROXY").value_or(""), host)) return std::optional<Proxy>();
  StatusOr<Proxy> proxy = ParseProxy(*url);
  if (!proxy.ok()) return Annotate(proxy.status(), "the variable https_proxy");
  return std::optional<Proxy>(std::move(*proxy));
}

}  // namespace consilium::transport
