// What a site remembers of an update that is to be summed in secret.
#pragma once

#include "comm/base/bytes.h"
#include "comm/base/digest.h"

namespace consilium::client {

// What is to be summed: kept with the trained update until it counts.
struct SecureWork {
  Digest model;                // of the model that the site received and trained
  Digest configuration;        // of the job that it was given
  std::uint64_t elements = 0;  // of the update
  double clip = 1;
  std::uint32_t min_cohort = 3;
  double share = 1;  // the site's weight, in (0, 1]
  friend bool operator==(const SecureWork&, const SecureWork&) = default;
};

// The last message of a sum, kept until the coordinator's receipt: it is all that the site will ever say of the round.
struct ReleasedShares {
  std::uint32_t session = 0;
  Bytes body;
  friend bool operator==(const ReleasedShares&, const ReleasedShares&) = default;
};

}  // namespace consilium::client
