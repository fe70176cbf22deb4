#include "comm/collective/network.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "comm/base/file.h"

namespace consilium::collective {
namespace {

constexpr int kConnectTimeoutMs = 2000;

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;
using InterfaceList = std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)>;

StatusOr<AddressList> Resolve(const std::string& host, int port, int type) {
  addrinfo hints{};
  hints.ai_socktype = type;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return Rendezvous("host name '", host, "' does not resolve: ", ::gai_strerror(error));
  return AddressList(found, &::freeaddrinfo);
}

InterfaceList Interfaces() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) list = nullptr;
  return InterfaceList(list, &::freeifaddrs);
}

// "10.0.0.3", "" for what is neither IPv4 nor IPv6.
std::string AddressText(const sockaddr* address) {
  if (address == nullptr || (address->sa_family != AF_INET && address->sa_family != AF_INET6)) return "";
  std::array<char, NI_MAXHOST> text{};
  const socklen_t size = address->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (::getnameinfo(address, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) return "";
  return text.data();
}

class Socket {
 public:
  Socket(const addrinfo& address, int flags)
      : descriptor_(::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | flags, address.ai_protocol)) {}
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int get() const { return descriptor_; }

 private:
  const int descriptor_;
};

}  // namespace

std::string HostName() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown-host";
  return name.data();
}

std::string LoopbackIdentity() {
  std::string identity = HostName();
  if (const auto boot = ReadFile("/proc/sys/kernel/random/boot_id"); boot.ok()) identity += "/" + boot.value();
  std::array<char, 128> space{};
  if (::readlink("/proc/self/ns/net", space.data(), space.size() - 1) > 0) identity += std::string("/") + space.data();
  return identity;
}

StatusOr<std::string> LoopbackInterface() {
  const InterfaceList list = Interfaces();
  for (const ifaddrs* i = list.get(); i != nullptr; i = i->ifa_next)
    if ((i->ifa_flags & IFF_LOOPBACK) != 0 && (i->ifa_flags & IFF_UP) != 0) return std::string(i->ifa_name);
  return Rendezvous("no loopback interface is up on ", HostName());
}

StatusOr<Route> RouteTo(const std::string& host) {
  ASSIGN_OR_RETURN(const AddressList addresses, Resolve(host, 9, SOCK_DGRAM));
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    const Socket socket(*address, 0);
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    if (socket.get() < 0 || ::connect(socket.get(), address->ai_addr, address->ai_addrlen) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0)
      continue;
    const std::string text = AddressText(reinterpret_cast<const sockaddr*>(&own));
    const InterfaceList list = Interfaces();
    for (const ifaddrs* i = list.get(); i != nullptr; i = i->ifa_next)
      if (!text.empty() && AddressText(i->ifa_addr) == text)
        return Route{i->ifa_name, text, (i->ifa_flags & IFF_LOOPBACK) != 0};
  }
  return Rendezvous("no network interface of ", HostName(), " leads to '", host, "'");
}

std::vector<std::string> OwnAddresses() {
  std::vector<std::string> addresses;
  const InterfaceList list = Interfaces();
  for (const ifaddrs* i = list.get(); i != nullptr; i = i->ifa_next) {
    const bool usable = (i->ifa_flags & IFF_UP) != 0 && (i->ifa_flags & IFF_LOOPBACK) == 0;
    const std::string text = usable ? AddressText(i->ifa_addr) : "";
    if (!text.empty() && text.find('%') == std::string::npos) addresses.push_back(text);  // no link-local scopes
  }
  addresses.push_back(HostName());
  return addresses;
}

bool CanConnect(const std::string& host, int port) {
  const StatusOr<AddressList> addresses = Resolve(host, port, SOCK_STREAM);
  if (!addresses.ok()) return false;
  for (const addrinfo* address = addresses.value().get(); address != nullptr; address = address->ai_next) {
    const Socket socket(*address, SOCK_NONBLOCK);
    if (socket.get() < 0) continue;
    if (::connect(socket.get(), address->ai_addr, address->ai_addrlen) == 0) return true;
    if (errno != EINPROGRESS) continue;
    pollfd wait{socket.get(), POLLOUT, 0};
    int error = 0;
    socklen_t size = sizeof error;
    if (::poll(&wait, 1, kConnectTimeoutMs) == 1 &&
        ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
      return true;
  }
  return false;
}

}  // namespace consilium::collective
