#include "comm/transport/grpc/tcp_dial.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace consilium::transport {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

StatusOr<AddressList> Resolve(const std::string& host, int port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error != 0)
    return Unavailable("the host name '", host, "' has no address (", ::gai_strerror(error),
                       "): is it spelled right, and does this machine's DNS know it?");
  return AddressList(list, &::freeaddrinfo);
}

// 0, or an errno.
int ConnectBy(const Socket& socket, const addrinfo& address, Instant deadline) {
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!WaitFor(socket, POLLOUT, deadline)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

Status ConnectFailure(const std::string& name, int port, int error) {
  const std::string host = name.find(':') == std::string::npos ? name : "[" + name + "]";
  switch (error) {
    case ECONNREFUSED:
      return Unavailable("nothing listens on ", host, ":", port,
                         " (connection refused): is the coordinator running, and is the port right?");
    case ETIMEDOUT:
      return Unavailable("no answer from ", host, ":", port,
                         " (timed out): a firewall may drop the connection, or the host is down");
    case ENETUNREACH:
    case EHOSTUNREACH:
      return Unavailable("no way to ", host, ":", port, " (", std::strerror(error),
                         "): is this machine on the right network?");
    default:
      return Unavailable("connecting to ", host, ":", port, ": ", std::strerror(error));
  }
}

}  // namespace

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool WaitFor(const Socket& socket, short events, Instant deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SystemClock().Now());
    pollfd waiting{.fd = socket.get(), .events = events, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

StatusOr<Socket> DialTcp(const std::string& host, int port, Instant deadline) {
  ASSIGN_OR_RETURN(const AddressList addresses, Resolve(host, port, 0));
  int error = EHOSTUNREACH;
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    Socket socket(
        ::socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol));
    if (socket.get() < 0) {
      error = errno;
      continue;
    }
    error = ConnectBy(socket, *address, deadline);
    if (error == 0) return socket;
  }
  return ConnectFailure(host, port, error);
}

Status CheckPortIsFree(const std::string& address, int port) {
  const StatusOr<AddressList> addresses = Resolve(address, port, AI_PASSIVE | AI_NUMERICHOST);
  if (!addresses.ok())
    return InvalidArgument("'", address, "' is not an address to listen on, such as 0.0.0.0 or 127.0.0.1");
  const addrinfo& first = *addresses->get();
  const Socket socket(::socket(first.ai_family, first.ai_socktype | SOCK_CLOEXEC, first.ai_protocol));
  if (socket.get() < 0) return ErrnoStatus(errno, "opening a socket");
  const int reuse = 1;  // as gRPC does: connections of a previous run that are not forgotten yet are no obstacle
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
  // A server that is already there shows in listen(), not in bind(), when it set SO_REUSEADDR too.
  if (::bind(socket.get(), first.ai_addr, first.ai_addrlen) == 0 && ::listen(socket.get(), 1) == 0) return Status();
  switch (errno) {
    case EADDRINUSE:
      return Unavailable("port ", port, " on ", address,
                         " is in use: is another coordinator running? (ss -ltnp shows who)");
    case EACCES:
      return InvalidArgument("port ", port, " needs privileges that this user does not have; choose one above 1023");
    case EADDRNOTAVAIL:
      return InvalidArgument(address, " is not an address of this machine; 0.0.0.0 listens on all of them");
    default:
      return Unavailable("listening on ", address, ":", port, ": ", std::strerror(errno));
  }
}

}  // namespace consilium::transport
