#include "tests/unit/comm/transport/grpc/loopback_listener.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "comm/base/status.h"

namespace consilium::transport::testing {

LoopbackListener ListenOnLoopback() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CONSILIUM_CHECK(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(listener, 8) == 0 &&
                  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return {listener, ntohs(address.sin_port)};
}

}  // namespace consilium::transport::testing
