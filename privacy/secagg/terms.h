// What a secure sum is about: who takes part, over what, under which bounds; and the hash that ties every key,
// signature and mask to it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "comm/base/digest.h"
#include "comm/base/ids.h"
#include "comm/base/status.h"
#include "privacy/crypto/key_stream.h"
#include "privacy/crypto/raw_keys.h"

namespace consilium::secagg {

// A site's index in the session's cohort, which is in name order.  Its shares are made at 1 + place.
using Place = std::uint32_t;

struct Member {
  SiteName name;
  crypto::RawPublicKey key{};  // Ed25519; certified by the consortium, apart from the TLS key
  friend bool operator==(const Member&, const Member&) = default;
};

// Everything that all parties must agree on.  A site fills in what it knows itself (its model, its configuration, its
// roster), never what it was told about them.
struct SessionTerms {
  JobId job;
  Round round{};
  Attempt attempt{};
  std::vector<Member> cohort;    // in name order, without repeats; keys from the pinned roster
  Digest model;                  // of the global model's bytes that were received
  Digest configuration;          // of the resolved job
  Digest beacon;                 // Beacon::value of exactly this cohort (beacon.h); zeros where the graph is complete
  std::uint64_t dimension = 0;   // coordinates of the vector, weights and metrics included
  double clip = 0;               // of a coordinate, as the quantizer has it
  std::uint32_t corrupt = 0;     // n_c: how many sites may collude with the coordinator
  std::uint32_t min_cohort = 3;  // fewer survivors release nothing
  crypto::StreamCipher cipher = crypto::StreamCipher::kAes128Ctr;
  Digest privacy;  // of the differential-privacy parameters; zeros without
};

// What follows from the terms; every site computes it for itself.
struct SessionShape {
  std::size_t degree = 0;                      // neighbours of a site
  std::size_t threshold = 0;                   // t: shares that rebuild a secret
  std::size_t survivors_min = 0;               // fewer than this at the end: nothing is released
  std::vector<std::vector<Place>> neighbours;  // ascending, by place
  bool complete = true;
};

// Errors: InvalidArgument: out of name order, or a name or key twice.
Status CheckMembers(std::span<const Member> members);
// Errors: InvalidArgument: a cohort below 3 or min_cohort, out of order, with a name or key twice, a dimension of 0, a
// clip that is not above 0 and finite, or bounds that no threshold meets.
Status CheckTerms(const SessionTerms& terms);
// The terms have passed CheckTerms.  Complete up to kCompleteMax sites; above, a Harary graph for corrupt / n colluding
// and a tenth dropping.
StatusOr<SessionShape> ShapeOf(const SessionTerms& terms);
// SHA-256 over canonical bytes of the protocol's version, the terms and the shape.
Digest ContextOf(const SessionTerms& terms, const SessionShape& shape);

}  // namespace consilium::secagg
