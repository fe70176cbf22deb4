#include "tests/integration/network/tun_link.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <optional>

#include "comm/base/bytes.h"
#include "comm/base/rng.h"

namespace consilium::testing {
namespace {

constexpr std::size_t kPacketBytesMax = 2048;  // the interfaces' MTU is 1500
constexpr double kQueueSeconds = 1;

StatusOr<int> OpenInterface(const std::string& name, const TunLink::End& end) {
  const NetworkNamespace::Inside inside(*end.where);
  const int descriptor = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return ErrnoStatus(errno, "opening /dev/net/tun");
  ifreq request{};
  name.copy(request.ifr_name, sizeof request.ifr_name - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  Status status =
      ::ioctl(descriptor, TUNSETIFF, &request) == 0 ? Status() : ErrnoStatus(errno, "making a TUN interface");
  if (status.ok()) status = SetUpInterface(name, end.address);
  if (status.ok()) return descriptor;
  ::close(descriptor);
  return status;
}

// The packets of one direction that are on their way.
class Direction {
 public:
  Direction(const LinkOptions& line, std::uint64_t stream) : line_(line), rng_(line.seed, stream) {}

  void Enter(Bytes packet, Instant now) {
    const bool lost = rng_.Uniform() < line_.loss;
    const Instant begin = std::max(free_, now);
    if (Seconds(begin - now) > kQueueSeconds) return;  // the queue is full
    // What is lost on the line has taken its time there.
    free_ = begin + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
                        8.0 * static_cast<double>(packet.size()) / line_.bits_per_second));
    if (!lost) packets_.push_back({free_ + line_.delay, std::move(packet)});
  }
  std::optional<Instant> next() const {
    return packets_.empty() ? std::nullopt : std::optional(packets_.front().arrives);
  }
  void Deliver(int interface, Instant now) {
    for (; !packets_.empty() && packets_.front().arrives <= now; packets_.pop_front()) {
      const Bytes& packet = packets_.front().bytes;
      [[maybe_unused]] const ssize_t written = ::write(interface, packet.data(), packet.size());
    }
  }
  void Drop() { packets_.clear(); }

 private:
  struct Packet {
    Instant arrives;
    Bytes bytes;
  };
  const LinkOptions line_;
  Rng rng_;
  Instant free_{};
  std::deque<Packet> packets_;
};

timespec TimeUntil(const std::optional<Instant>& next, Instant now) {
  const Duration wait = next ? std::clamp<Duration>(*next - now, Duration(0), std::chrono::seconds(1))
                             : Duration(std::chrono::seconds(1));
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(wait).count();
  return {.tv_sec = nanoseconds / 1'000'000'000, .tv_nsec = nanoseconds % 1'000'000'000};
}

}  // namespace

StatusOr<std::unique_ptr<TunLink>> TunLink::Create(const Options& options) {
  ASSIGN_OR_RETURN(const int near, OpenInterface(options.interface, options.ends[0]));
  const StatusOr<int> far = OpenInterface(options.interface, options.ends[1]);
  if (!far.ok()) {
    ::close(near);
    return far.status();
  }
  std::unique_ptr<TunLink> link(new TunLink({near, *far}));
  link->stop_ = ::eventfd(0, EFD_CLOEXEC);
  link->carrier_ = std::thread([made = link.get(), line = options.line] { made->Carry(line); });
  return link;
}

TunLink::~TunLink() {
  const std::uint64_t one = 1;
  CONSILIUM_CHECK(::write(stop_, &one, sizeof one) == sizeof one);
  carrier_.join();
  for (const int descriptor : {interfaces_[0], interfaces_[1], stop_}) ::close(descriptor);
}

void TunLink::Carry(const LinkOptions& line) {
  Direction directions[2] = {{line, 1}, {line, 2}};  // from the interface of that number to the other
  Bytes buffer(kPacketBytesMax);
  for (;;) {
    std::optional<Instant> next = directions[0].next();
    if (const auto other = directions[1].next(); other && (!next || *other < *next)) next = other;
    const timespec wait = TimeUntil(next, SystemClock().Now());
    pollfd events[3] = {{interfaces_[0], POLLIN, 0}, {interfaces_[1], POLLIN, 0}, {stop_, POLLIN, 0}};
    if (::ppoll(events, 3, &wait, nullptr) < 0 && errno != EINTR) return;
    if (events[2].revents != 0) return;
    const Instant now = SystemClock().Now();
    for (int from = 0; from < 2; ++from) {
      for (ssize_t size; (size = ::read(interfaces_[from], buffer.data(), buffer.size())) > 0;)
        if (passing_ == Passing::kPackets) directions[from].Enter(Bytes(buffer.begin(), buffer.begin() + size), now);
      if (passing_ == Passing::kNothing) directions[from].Drop();
      directions[from].Deliver(interfaces_[1 - from], now);
    }
  }
}

}  // namespace consilium::testing
