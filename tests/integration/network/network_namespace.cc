#include "tests/integration/network/network_namespace.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tests/testing/run_program.h"

namespace consilium::testing {
namespace {

int OpenOwn() { return ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC); }

sockaddr AddressOf(const std::string& text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  CONSILIUM_CHECK(::inet_pton(AF_INET, text.c_str(), &address.sin_addr) == 1, text);
  sockaddr plain;
  std::memcpy(&plain, &address, sizeof plain);
  return plain;
}

}  // namespace

StatusOr<std::shared_ptr<const NetworkNamespace>> NetworkNamespace::Create() {
  const int before = OpenOwn();
  if (before < 0) return ErrnoStatus(errno, "opening this thread's network namespace");
  if (::unshare(CLONE_NEWNET) != 0) {
    const Status status = ErrnoStatus(errno, "making a network namespace");
    ::close(before);
    return status;
  }
  const std::shared_ptr<const NetworkNamespace> made(new NetworkNamespace(OpenOwn()));
  const Status loopback = SetUpInterface("lo", "127.0.0.1");
  CONSILIUM_CHECK(::setns(before, CLONE_NEWNET) == 0, "leaving a network namespace");
  ::close(before);
  if (!loopback.ok()) return loopback;
  return made;
}

NetworkNamespace::~NetworkNamespace() { ::close(descriptor_); }

std::string NetworkNamespace::path() const { return Concat("/proc/", ::getpid(), "/fd/", descriptor_); }

NetworkNamespace::Inside::Inside(const NetworkNamespace& there) : before_(OpenOwn()) {
  CONSILIUM_CHECK(before_ >= 0 && ::setns(there.descriptor_, CLONE_NEWNET) == 0, "entering a network namespace");
}

NetworkNamespace::Inside::~Inside() {
  CONSILIUM_CHECK(::setns(before_, CLONE_NEWNET) == 0, "leaving a network namespace");
  ::close(before_);
}

Status NetworkNamespace::Run(const std::vector<std::string>& arguments) const {
  const ScratchFolder scratch;
  const Inside inside(*this);
  ASSIGN_OR_RETURN(Subprocess child, Subprocess::Start({.arguments = arguments, .output = scratch / "log"}));
  ASSIGN_OR_RETURN(const ExitResult end, child.Wait(std::chrono::seconds(10)));
  if (end.ok()) return Status();
  std::string words;
  for (const std::string& argument : arguments) words += (words.empty() ? "" : " ") + argument;
  return Failed(words, ": ", ReadFile(scratch / "log").value());
}

Status SetUpInterface(const std::string& name, const std::string& address) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return ErrnoStatus(errno, "making a socket");
  ifreq request{};
  CONSILIUM_CHECK(name.size() < sizeof request.ifr_name, name);
  name.copy(request.ifr_name, name.size());
  const auto call = [&](unsigned long what) { return ::ioctl(socket, what, &request) == 0; };
  request.ifr_addr = AddressOf(address);
  bool done = call(SIOCSIFADDR);
  request.ifr_netmask = AddressOf("255.255.255.0");
  done = done && call(SIOCSIFNETMASK) && call(SIOCGIFFLAGS);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
  done = done && call(SIOCSIFFLAGS);
  const Status status = done ? Status() : ErrnoStatus(errno, "setting up the interface " + name);
  ::close(socket);
  return status;
}

}  // namespace consilium::testing
