#include "tests/unit/comm/transport/grpc/relay.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "tests/unit/comm/transport/grpc/loopback_listener.h"

namespace consilium::transport::testing {

Relay::Relay(int target_port) : target_port_(target_port) {
  const LoopbackListener listener = ListenOnLoopback();
  listener_ = listener.descriptor;
  port_ = listener.port;
  thread_ = std::thread([this] { Run(); });
}

Relay::~Relay() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  for (std::thread& carrier : carriers_) carrier.join();
  ::close(listener_);
}

void Relay::Run() {
  while (!stopping_) {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) return;
    carriers_.emplace_back([this, descriptor] {
      const Socket near(descriptor);
      const StatusOr<Socket> far = DialTcp("127.0.0.1", target_port_, SystemClock().Now() + std::chrono::seconds(5));
      if (far.ok()) Carry(near, *far);
    });
  }
}

void Relay::Carry(const Socket& near, const Socket& far) {
  std::uint64_t left = cut_after_;
  const std::uint64_t cuts = cuts_;
  char buffer[1 << 14];
  while (!stopping_ && cuts == cuts_) {
    pollfd both[] = {{.fd = near.get(), .events = POLLIN}, {.fd = far.get(), .events = POLLIN}};
    if (::poll(both, 2, 50) < 0) return;
    for (int from = 0; from < 2; ++from) {
      if (both[from].revents == 0) continue;
      const ssize_t size = ::recv(both[from].fd, buffer, sizeof buffer, MSG_DONTWAIT);
      if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (size <= 0) return;
      if (static_cast<std::uint64_t>(size) > left) {
        ++cuts_;
        return;
      }
      left -= static_cast<std::uint64_t>(size);
      for (ssize_t done = 0; done < size;) {
        const ssize_t sent =
            ::send(both[1 - from].fd, buffer + done, static_cast<std::size_t>(size - done), MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
          pollfd writable{.fd = both[1 - from].fd, .events = POLLOUT};
          ::poll(&writable, 1, 50);
          if (stopping_) return;
        } else if (sent < 0) {
          return;
        } else {
          done += sent;
        }
      }
    }
  }
}

}  // namespace consilium::transport::testing
