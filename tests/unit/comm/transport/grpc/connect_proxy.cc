#include "tests/unit/comm/transport/grpc/connect_proxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "comm/transport/grpc/tcp_dial.h"
#include "tests/unit/comm/transport/grpc/loopback_listener.h"

namespace consilium::transport::testing {
namespace {

bool SendAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == EAGAIN) {
      pollfd writable{.fd = descriptor, .events = POLLOUT, .revents = 0};
      ::poll(&writable, 1, 50);
    } else if (size <= 0) {
      return false;
    } else {
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  return true;
}

}  // namespace

ConnectProxy::ConnectProxy(Options options) : options_(std::move(options)) {
  const LoopbackListener listener = ListenOnLoopback();
  listener_ = listener.descriptor;
  port_ = listener.port;
  thread_ = std::thread([this] { Run(); });
}

ConnectProxy::~ConnectProxy() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  for (std::thread& tunnel : tunnels_) tunnel.join();
  ::close(listener_);
}

std::vector<std::string> ConnectProxy::requests() {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void ConnectProxy::Run() {
  for (;;) {
    const int near = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (near < 0) return;
    tunnels_.emplace_back([this, near] { Serve(near); });
  }
}

void ConnectProxy::Serve(int near_descriptor) {
  const Socket near(near_descriptor);
  std::string head;
  char buffer[1 << 14];
  while (head.find("\r\n\r\n") == std::string::npos) {
    if (!WaitFor(near, POLLIN, SystemClock().Now() + std::chrono::seconds(5))) return;
    const ssize_t size = ::recv(near.get(), buffer, sizeof buffer, 0);
    if (size <= 0) return;
    head.append(buffer, static_cast<std::size_t>(size));
  }
  const std::string request = head.substr(0, head.find('\r'));
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  if (!options_.refusal.empty()) {
    (void)SendAll(near.get(), options_.refusal);
    return;
  }
  if (head.find("Proxy-Authorization: " + options_.authorization) == std::string::npos &&
      !options_.authorization.empty()) {
    (void)SendAll(near.get(), "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n");
    return;
  }
  const std::size_t begin = request.find(' ') + 1, colon = request.rfind(':');
  std::string host = request.substr(begin, colon - begin);
  if (host.front() == '[') host = host.substr(1, host.size() - 2);
  const StatusOr<Socket> far =
      DialTcp(host, std::atoi(request.c_str() + colon + 1), SystemClock().Now() + std::chrono::seconds(5));
  if (!far.ok()) {
    (void)SendAll(near.get(), "HTTP/1.1 502 Bad Gateway\r\n\r\n");
    return;
  }
  if (!SendAll(near.get(), "HTTP/1.1 200 Connection established\r\n\r\n")) return;
  while (!stopping_) {
    pollfd both[] = {{.fd = near.get(), .events = POLLIN, .revents = 0},
                     {.fd = far->get(), .events = POLLIN, .revents = 0}};
    if (::poll(both, 2, 50) < 0) return;
    for (int from = 0; from < 2; ++from) {
      if (both[from].revents == 0) continue;
      const ssize_t size = ::recv(both[from].fd, buffer, sizeof buffer, MSG_DONTWAIT);
      if (size <= 0 || !SendAll(both[1 - from].fd, {buffer, static_cast<std::size_t>(size)})) return;
    }
  }
}

}  // namespace consilium::transport::testing
