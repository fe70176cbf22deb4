// A slow, lossy line between two network namespaces of this machine: a coordinator at one end, hospitals at the other.
//
// Where the kernel has it, the line is a veth pair with `tc netem` at both ends.  Else it is a pair of TUN interfaces,
// and this process carries their packets, late and not all of them (tun_link.h): TCP sees the same.
#pragma once

#include <memory>

#include "comm/base/time.h"
#include "tests/integration/network/link_options.h"
#include "tests/integration/network/network_namespace.h"

namespace consilium::testing {

inline constexpr char kCoordinatorAddress[] = "10.77.0.1", kSiteAddress[] = "10.77.0.2";

class SlowLink {
 public:
  virtual ~SlowLink() = default;
  // While it is down no packet passes.
  virtual Status SetDown() = 0;
  virtual Status SetUp() = 0;
  virtual std::string description() const = 0;  // how it is made
};

// Both namespaces and the line between them.  Strand-bound.
struct SlowNetwork {
  std::shared_ptr<const NetworkNamespace> coordinator, sites;
  std::unique_ptr<SlowLink> link;
};
// FailedPrecondition, with the reason, where this machine does not allow it.
StatusOr<SlowNetwork> MakeSlowNetwork(const LinkOptions& options);

}  // namespace consilium::testing
