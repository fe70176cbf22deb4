// Who shares masks and keys with whom when everybody with everybody would be too many.
//
// J. Bell et al., "Secure single-server aggregation with (poly)logarithmic overhead", CCS 2020: a Harary graph on a
// random ring; the search for its parameters follows section 3 and lemma 3.7 with exact hypergeometric tails.
#pragma once

#include <cstddef>
#include <vector>

#include "comm/base/digest.h"
#include "comm/base/status.h"

namespace consilium::secagg {

// Up to so many sites the complete graph is used: it costs little there and has the simpler argument.
inline constexpr std::size_t kCompleteMax = 64;
// Above: fewer survivors than this release nothing, so that no two halves can.
constexpr std::size_t GraphSurvivorsMin(std::size_t sites) { return (sites + 1) / 2; }

enum class Adversary { kCurious, kActive };  // the coordinator only looks, or it lies

struct GraphRates {
  double corrupt = 0.1;  // gamma: share of sites that collude with the coordinator
  double dropout = 0.1;  // delta: share of sites that may vanish
  Adversary adversary = Adversary::kActive;
  double security_bits = 40;     // probability of a broken sum at most 2^-40
  double correctness_bits = 20;  // probability that too few shares come at most 2^-20
};
struct GraphParameters {
  std::size_t degree = 0;     // k, even
  std::size_t threshold = 0;  // shares that rebuild a secret, of k + 1
};
// The smallest even degree that meets the rates for `sites` sites.  Errors: InvalidArgument when rates are no shares or
// no degree is enough.
StatusOr<GraphParameters> FindGraph(std::size_t sites, const GraphRates& rates);

// The neighbours of every site, ascending, by place in the sorted roster.  The ring is a permutation drawn from `seed`
// (Fisher-Yates on HKDF bytes), so that every site computes the same one; degree >= sites - 1 is the complete graph.
// Errors: InvalidArgument for an odd degree or none.
StatusOr<std::vector<std::vector<std::size_t>>> HararyGraph(std::size_t sites, std::size_t degree, const Digest& seed);

}  // namespace consilium::secagg
