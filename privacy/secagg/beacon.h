// Randomness that no party chose alone: it draws the graph of a sum of many sites (neighbours.h) and the groups of
// group secure aggregation.
//
// Commit, then reveal, once the sites of a round's sum are known: every site signs a commitment to a nonce of its own;
// it says its nonce only when it has seen everybody's commitment; the beacon is a hash over all nonces.  One honest
// nonce makes it unpredictable.
//
// All who have committed have to reveal: whoever could drop out after seeing the other nonces could choose among
// several beacons, so an attempt that lacks one nonce is thrown away, and a site reveals at most kBeaconTriesMax times
// for a round: who may try so often gains log2 of it in bits.  And a beacon is for exactly the sites whose nonces are
// in it: whoever could choose the sites of a sum after the beacon is known could try as many graphs as there are
// subsets of sites, alone at his desk, until one surrounds a site with liars.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "comm/base/digest.h"
#include "comm/base/ids.h"
#include "privacy/secagg/terms.h"

namespace consilium::secagg {

struct Beacon {
  std::vector<SiteName> sites;  // whose nonces are in it, in name order
  Digest value;
  friend bool operator==(const Beacon&, const Beacon&) = default;
};

// 3 of the 40 bits that the graph is made for.
inline constexpr std::uint32_t kBeaconTriesMax = 8;

// What a beacon is about.  A site fills in what it knows itself: its configuration, and the keys of its roster.
struct BeaconTerms {
  JobId job;
  Round round{};
  std::uint32_t attempt = 0;  // 1 for the first of the round
  std::vector<Member> sites;  // of the sum, in name order, without repeats
  Digest configuration;       // of the resolved job
  std::uint32_t min_cohort = 3;
};
// Errors: InvalidArgument: fewer sites than min_cohort, out of order, with a name or key twice.
Status CheckBeaconTerms(const BeaconTerms& terms);
// SHA-256 over canonical bytes of the terms: what every commitment and signature contains.
Digest ContextOf(const BeaconTerms& terms);

using BeaconNonce = std::array<std::uint8_t, 32>;

// A site's word that it will say one nonce and no other.
struct BeaconCommitment {
  Digest commitment;
  crypto::Signature signature{};
  friend bool operator==(const BeaconCommitment&, const BeaconCommitment&) = default;
};
BeaconCommitment CommitTo(const Digest& context, const SiteName& site, const BeaconNonce& nonce,
                          const crypto::SigningKey& signing);
// Errors: Unauthenticated, naming the site: this is not its signature for this beacon.
Status CheckCommitment(const Digest& context, const Member& site, const BeaconCommitment& commitment);
// Errors: Unauthenticated, naming the site: this is not the nonce that it committed to.
Status CheckNonce(const Digest& context, const SiteName& site, const BeaconCommitment& commitment,
                  const BeaconNonce& nonce);
// Names a list of commitments, one of each site of the terms; without their signatures, which a signer can make anew.
Digest DigestOf(const Digest& context, std::span<const BeaconCommitment> commitments);
// One nonce of each site, in the sites' order.  Errors: InvalidArgument for another number; those of CheckNonce.
StatusOr<Beacon> BeaconOf(const BeaconTerms& terms, std::span<const BeaconCommitment> commitments,
                          std::span<const BeaconNonce> nonces);

// What the coordinator relays: first the sites, then their commitments as well, at last their nonces too.
struct BeaconNotice {
  std::vector<SiteName> sites;
  std::vector<BeaconCommitment> commitments;  // none, or one of each site
  std::vector<BeaconNonce> nonces;            // none, or with the commitments one of each site
  friend bool operator==(const BeaconNotice&, const BeaconNotice&) = default;
};

// Canonical bytes.  Decoders are total: any bytes give a message or DataLoss, with memory bounded by their size.
Bytes Encode(const BeaconNotice& notice);
Bytes Encode(const BeaconCommitment& commitment);
Bytes Encode(const BeaconNonce& nonce);
StatusOr<BeaconNotice> DecodeBeaconNotice(ByteSpan bytes);
StatusOr<BeaconCommitment> DecodeBeaconCommitment(ByteSpan bytes);
StatusOr<BeaconNonce> DecodeBeaconNonce(ByteSpan bytes);

}  // namespace consilium::secagg
