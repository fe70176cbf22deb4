#include "tests/integration/network/slow_link.h"

#include <cstdio>
#include <fstream>

#include "tests/integration/network/tun_link.h"

namespace consilium::testing {
namespace {

using End = std::shared_ptr<const NetworkNamespace>;

// The interfaces are named alike, one in each namespace.
constexpr char kInterface[] = "line";

class NetemLink final : public SlowLink {
 public:
  // The veth pair, with a queueing discipline at both ends.
  static Status Join(const End& near, const End& far, const LinkOptions& options) {
    RETURN_IF_ERROR(
        near->Run({"ip", "link", "add", kInterface, "type", "veth", "peer", "name", kInterface, "netns", far->path()}));
    for (const End& end : {near, far}) {
      RETURN_IF_ERROR(end->Run({"tc", "qdisc", "add", "dev", kInterface, "root", "netem", "delay",
                                Concat(1e3 * Seconds(options.delay), "ms"), "loss", Concat(100 * options.loss, "%"),
                                "rate", Concat(options.bits_per_second / 1e3, "kbit")}));
      const NetworkNamespace::Inside inside(*end);
      RETURN_IF_ERROR(SetUpInterface(kInterface, end == near ? kCoordinatorAddress : kSiteAddress));
    }
    return Status();
  }
  static void TakeApart(const End& near) { (void)near->Run({"ip", "link", "del", kInterface}); }

  explicit NetemLink(End near) : near_(std::move(near)) {}
  // One end is enough: the other loses its carrier.
  Status SetDown() override { return near_->Run({"ip", "link", "set", kInterface, "down"}); }
  Status SetUp() override { return near_->Run({"ip", "link", "set", kInterface, "up"}); }
  std::string description() const override { return "netem"; }

 private:
  const End near_;
};

class UserLink final : public SlowLink {
 public:
  explicit UserLink(std::unique_ptr<TunLink> link) : link_(std::move(link)) {}
  Status SetDown() override { return link_->Pass(TunLink::Passing::kNothing), Status(); }
  Status SetUp() override { return link_->Pass(TunLink::Passing::kPackets), Status(); }
  std::string description() const override { return "TUN, this kernel having no netem"; }

 private:
  const std::unique_ptr<TunLink> link_;
};

}  // namespace

std::string ToString(const LinkOptions& options) {
  char text[120];
  std::snprintf(text, sizeof text, "%g Mbit/s, %g ms round trip, %g %% loss each way, seed %llu",
                options.bits_per_second / 1e6, 2e3 * Seconds(options.delay), 100 * options.loss,
                static_cast<unsigned long long>(options.seed));
  return text;
}

StatusOr<SlowNetwork> MakeSlowNetwork(const LinkOptions& options) {
  SlowNetwork network;
  for (End* end : {&network.coordinator, &network.sites}) {
    StatusOr<End> made = NetworkNamespace::Create();
    if (!made.ok()) return FailedPrecondition(made.status().message(), " (it takes root)");
    *end = *std::move(made);
    if (options.congestion.empty()) continue;
    const NetworkNamespace::Inside inside(**end);
    std::ofstream setting("/proc/sys/net/ipv4/tcp_congestion_control");
    if (!(setting << options.congestion << std::flush))
      return FailedPrecondition("this kernel has no congestion control '", options.congestion, "'");
  }
  const Status netem = NetemLink::Join(network.coordinator, network.sites, options);
  if (netem.ok()) {
    network.link = std::make_unique<NetemLink>(network.coordinator);
    return network;
  }
  NetemLink::TakeApart(network.coordinator);
  StatusOr<std::unique_ptr<TunLink>> tun =
      TunLink::Create({.interface = kInterface,
                       .ends = {{network.coordinator, kCoordinatorAddress}, {network.sites, kSiteAddress}},
                       .line = options});
  if (!tun.ok()) return FailedPrecondition(netem.message(), "; ", tun.status().message());
  network.link = std::make_unique<UserLink>(*std::move(tun));
  return network;
}

}  // namespace consilium::testing
