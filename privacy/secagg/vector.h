// What a site's masked vector holds, and how it is made and summed, both in pieces: memory does not grow with a model.
//
//   coordinate                    integer of Z_2^32
//   0 .. elements - 1             q(w x_i): the update, as deltas, times the site's weight
//   elements                      w, in units of 1 / Q
//   then, for each of kMetrics    q(w m), and w where the site has that metric, else 0
//
// So the sum gives the weighted means of update and metrics, and neither weight nor metric of one site is seen.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <string>

#include "privacy/secagg/mask.h"
#include "privacy/secagg/quantizer.h"
#include "privacy/secagg/server.h"
#include "privacy/secagg/site.h"

namespace consilium::secagg {

struct SummedMetric {
  std::string_view name;
  double bound = 1;  // larger ones are cut to it
};
// "clipped": the share of the update's values that were beyond the clip.
inline constexpr std::array<SummedMetric, 3> kMetrics = {{{"clipped", 1.0}, {"dice", 1.0}, {"loss", 1024.0}}};

constexpr std::uint64_t DimensionFor(std::uint64_t elements) { return elements + 1 + 2 * kMetrics.size(); }

// What one site puts in.
struct VectorInput {
  std::uint64_t elements = 0;
  double clip = 1;
  std::size_t cohort = 3;
  double weight = 1;                      // in (0, 1]; less than one unit of the ring counts as one
  std::map<std::string, double> metrics;  // those of kMetrics are used, where they are finite
  SecretBytes noise;                      // 32 fresh bytes: of the stochastic rounding
  unsigned threads = 1;
};
// Values begin .. begin + out.size() of the update.
using ReadValues = std::function<Status(std::uint64_t begin, std::span<float> out)>;
using WriteWords = std::function<Status(std::span<const std::uint32_t> words)>;  // in order
// Returns how many values were clipped.  Errors: InvalidArgument for a value that is not finite, and what the callbacks
// say.
StatusOr<std::uint64_t> MaskVector(const MaskingSite& site, const VectorInput& input, const ReadValues& read,
                                   const WriteWords& write);

// The sum of the survivors' vectors.
struct SumInput {
  SessionTerms terms;
  Digest context;
  const Unmasking* unmasking = nullptr;  // outlives the call
  std::size_t survivors = 0;
  unsigned threads = 1;
};
struct SumResult {
  double weight = 0;                      // sum of the sites' w
  std::map<std::string, double> metrics;  // weighted means, of those that any site had
};
// Words begin .. begin + out.size() of one survivor's vector.
using ReadWords = std::function<Status(std::size_t survivor, std::uint64_t begin, std::span<std::uint32_t> out)>;
// The survivors' sum at coordinates begin .. begin + out.size(), masks taken off.  Errors: what `read` says.
Status ReadSum(const SumInput& input, const ReadWords& read, std::uint64_t begin, std::span<std::uint32_t> out);
using WriteValues = std::function<Status(std::span<const float> means)>;  // the weighted mean update, in order
// Errors: DataLoss when the sum is not one of so many vectors (masks are left over, a site broke the protocol), and
// what the callbacks say.
StatusOr<SumResult> SumVectors(const SumInput& input, const ReadWords& read, const WriteValues& write);

}  // namespace consilium::secagg
