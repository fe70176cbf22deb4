// A site's part in the beacon of a round: what it remembers, and what it refuses.  The coordinator is not trusted.
//
//   none --Begin--> committed --Reveal--> nonce said --Finish--> the beacon
//
// Every step gives what is to be remembered; the caller makes it durable before it says what follows from it (the
// commitment, the nonce), so that after a kill the same nonce goes with the same commitments, and tries are counted.
#pragma once

#include <optional>

#include "comm/base/entropy.h"
#include "privacy/secagg/beacon.h"

namespace consilium::secagg {

// Value semantics.  The newest attempt of the newest round.
struct BeaconPart {
  Round round{};
  std::uint32_t attempt = 0;
  std::uint32_t revealed = 0;           // attempts of this round at which this site said its nonce
  Digest context;                       // of the attempt's terms
  BeaconNonce nonce{};                  // nobody's business until it was said
  std::optional<Digest> commitments{};  // DigestOf those against which it was said
  friend bool operator==(const BeaconPart&, const BeaconPart&) = default;
};

// A fresh nonce, unless `before` is of the same terms.  Errors: those of CheckBeaconTerms; FailedPrecondition when the
// sites are without `site`, the attempt is older than the one before, or has other terms under the same number;
// PermissionDenied once kBeaconTriesMax nonces were said for the round.
StatusOr<BeaconPart> BeginBeacon(const BeaconTerms& terms, const SiteName& site,
                                 const std::optional<BeaconPart>& before, Entropy& entropy);
// After it the nonce may be said.  Errors: FailedPrecondition when this site has not committed under these terms;
// Unauthenticated for a commitment of its own that it did not make, one that is not signed by its site for these terms,
// too few or too many, or other ones than those that the nonce was said against.
StatusOr<BeaconPart> RevealNonce(const BeaconTerms& terms, const SiteName& site, const BeaconPart& part,
                                 std::span<const BeaconCommitment> commitments);
// Errors: FailedPrecondition when this site's nonce is not in it; Unauthenticated for other commitments than those that
// it was said against, or a nonce that was not committed to.
StatusOr<Beacon> FinishBeacon(const BeaconTerms& terms, const BeaconPart& part,
                              std::span<const BeaconCommitment> commitments, std::span<const BeaconNonce> nonces);

}  // namespace consilium::secagg
