// Inputs of machines, in any order.
#include "comm/base/rng.h"
#include "job_orders.h"
#include "secure_sum_orders.h"
#include "session_orders.h"
#include "target.h"

namespace consilium::fuzz {
namespace {

constexpr int kStepsMax = 400;

// Any bytes are a valid order, so a fuzzer may begin with noise.
std::vector<Bytes> Noise() {
  std::vector<Bytes> seeds;
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    Rng rng(seed);
    Bytes& noise = seeds.emplace_back(64 + rng.Below(1500));
    for (std::uint8_t& byte : noise) byte = static_cast<std::uint8_t>(rng.Below(256));
  }
  return seeds;
}

constexpr Target kTargets[] = {
    {"job_orders",
     [](ByteSpan input) {
       Choices choices(input);
       RunJobOrders(&choices, kStepsMax);
     },
     Noise, 200},
    {"session_orders",
     [](ByteSpan input) {
       Choices choices(input);
       RunSessionOrders(&choices, kStepsMax);
     },
     Noise, 200},
    {"secure_sum_orders",
     [](ByteSpan input) {
       Choices choices(input);
       RunSecureSumOrders(&choices);
     },
     Noise, 200},
};

}  // namespace

std::span<const Target> OrderTargets() { return kTargets; }

}  // namespace consilium::fuzz
