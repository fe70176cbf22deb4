// What a site's vector holds in a sum with differential privacy for sites, and how it is made and read:
//
//   coordinate               whole number, modulo 2^32
//   0 .. elements - 1        round(u_i min(1, C / |u|) levels / C) + noise: the update, cut to L2 norm C
//   elements                 round(+-r levels) + noise: + where |u| <= C; only where the clip adapts (r > 0)
//
// Nothing else of a site is in it: weights are equal, and what a site measured has no noise.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "privacy/private_sum/noise_plan.h"
#include "privacy/secagg/vector.h"

namespace consilium::private_sum {

struct NoisyInput {
  NoisePlan plan;
  double clip = 1;  // C
  // One release is made of one secret and one name: the same again for work that is done again (dp::NoiseSource).
  SecretBytes secret;
  std::string release;
  unsigned threads = 1;  // that mask
};
// In order, a piece at a time; the words may be changed.
using TakeWords = std::function<Status(std::uint64_t begin, std::span<std::uint32_t> words)>;
// The vector without masks.  `read` is asked for the whole update several times over, each time from 0.  Returns the
// update's norm before it was cut, which stays at the site.  Memory does not grow with the update.  Errors:
// InvalidArgument for a value that is not finite or a clip that is none; what the callbacks say.
StatusOr<double> MakeNoisyVector(const NoisyInput& input, const secagg::ReadValues& read, const TakeWords& take);
// The same with a session's masks.
StatusOr<double> MaskNoisyVector(const secagg::MaskingSite& site, const NoisyInput& input,
                                 const secagg::ReadValues& read, const secagg::WriteWords& write);

struct NoisySum {
  std::optional<double> share_below;  // of the sites, with noise: any number; where the clip adapts
};
// What `input` sums, as the mean over the survivors.  Errors: as secagg::SumVectors.
StatusOr<NoisySum> ReadNoisySum(const secagg::SumInput& input, const NoisePlan& plan, double clip,
                                const secagg::ReadWords& read, const secagg::WriteValues& write);

}  // namespace consilium::private_sum
