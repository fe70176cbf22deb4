// What a site can do, said once a connection: a coordinator gives no work to a site that cannot do it, and says why.
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace consilium::wire {

struct JobSpec;

struct Capability {
  std::uint32_t cores = 0;         // 0: unknown
  std::uint64_t memory_bytes = 0;  // 0: unknown
  std::uint32_t gpus = 0;
  std::string trainer{};             // "0.1.0, LibTorch 1.13.1"; "" until the trainer has run once
  std::set<std::string> features{};  // beyond the first version's: "validate", "auxiliary", "local:scaffold"
  friend bool operator==(const Capability&, const Capability&) = default;
};

// That a site takes part in secure sums that are drawn at random (secagg/beacon.h).
inline constexpr char kBeaconFeature[] = "beacon";
// What sites of this build can do.
std::set<std::string> FeaturesOfThisBuild();
// What a job asks of its sites beyond the first version's abilities; empty for plain federated averaging.
std::set<std::string> FeaturesNeeded(const JobSpec& job);
// "" when the site can do the job, else why not: "its software (0.1.0) lacks local:scaffold".
std::string WhyUnfit(const Capability& site, const std::set<std::string>& needed);

}  // namespace consilium::wire
