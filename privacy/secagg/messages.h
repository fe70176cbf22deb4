// The messages of a secure sum, and what their signatures cover.  Rounds as in K. Bonawitz et al., "Practical secure
// aggregation for privacy-preserving machine learning", CCS 2017, figure 4, the version against an active adversary.
#pragma once

#include <vector>

#include "comm/base/bytes.h"
#include "privacy/crypto/aead.h"
#include "privacy/secagg/shamir.h"
#include "privacy/secagg/terms.h"

namespace consilium::secagg {

// R0, site to all: fresh public keys of this session.
struct Advert {
  Place place = 0;
  crypto::RawPublicKey channel{}, mask{};  // X25519
  Digest commitment;                       // to the self-mask's seed
  crypto::Signature signature{};
  friend bool operator==(const Advert&, const Advert&) = default;
};

// R1, site to site through the coordinator: two shares, sealed for their receiver.
struct SealedShares {
  Place from = 0, to = 0;
  crypto::Nonce nonce{};
  Bytes sealed;
  friend bool operator==(const SealedShares&, const SealedShares&) = default;
};

// R2, site to coordinator, after the masked vector itself was uploaded.
struct MaskedHead {
  Place place = 0;
  Digest vector;   // of the masked vector: the name of its blob (wire/blob.h)
  Digest sharers;  // DigestOf the places whose shares the site holds, itself included
  crypto::Signature signature{};
  friend bool operator==(const MaskedHead&, const MaskedHead&) = default;
};

// How far the coordinator's audit log has come: after so many entries its head is this.
struct AuditPoint {
  std::uint64_t entries = 0;
  Digest head;
  friend bool operator==(const AuditPoint&, const AuditPoint&) = default;
};

// R3: the coordinator names the survivors; each of them signs the list, once, with the state of the coordinator's audit
// log as it was told it.  All have to be told the same.
struct Confirmation {
  Place place = 0;
  AuditPoint audit;
  crypto::Signature signature{};
  friend bool operator==(const Confirmation&, const Confirmation&) = default;
};

// R4, site to coordinator: of each peer one share, of one kind.
enum class SecretKind : std::uint8_t {
  kSelfMask,  // of a survivor: its self-mask's seed
  kPairKey,   // of one that dropped out: the seed of its mask key
};
struct ReleasedShare {
  Place of = 0;
  SecretKind kind = SecretKind::kSelfMask;
  Share share;
  friend bool operator==(const ReleasedShare&, const ReleasedShare&) = default;
};
struct ShareRelease {
  Place from = 0;
  std::vector<ReleasedShare> shares;  // ascending by `of`
  friend bool operator==(const ShareRelease&, const ShareRelease&) = default;
};

// A sorted list of distinct places.
using Places = std::vector<Place>;
Digest DigestOf(const Places& places);
bool IsSortedAndBelow(const Places& places, std::size_t sites);

// What is signed: a domain tag, the context, the place, the message's body.
Bytes SignedBytes(const Digest& context, const Advert& advert);
Bytes SignedBytes(const Digest& context, const MaskedHead& head);
Bytes SignedBytes(const Digest& context, const Places& survivors, const Confirmation& confirmation);
// The commitment to a self-mask's seed.
Digest CommitmentTo(const Digest& context, const SecretBytes& seed);

// What a seal vouches for beside its shares: the session, and from whom to whom they go.
Bytes AssociatedBytes(const Digest& context, Place from, Place to);

// Canonical bytes.  Decoders are total: any bytes give a message or DataLoss, with memory bounded by their size.
Bytes Encode(const Advert& message);
Bytes Encode(const SealedShares& message);
Bytes Encode(const MaskedHead& message);
Bytes Encode(const Confirmation& message);
Bytes Encode(const ShareRelease& message);
StatusOr<Advert> DecodeAdvert(ByteSpan bytes);
StatusOr<SealedShares> DecodeSealedShares(ByteSpan bytes);
StatusOr<MaskedHead> DecodeMaskedHead(ByteSpan bytes);
StatusOr<Confirmation> DecodeConfirmation(ByteSpan bytes);
StatusOr<ShareRelease> DecodeShareRelease(ByteSpan bytes);

// The plaintext of SealedShares: always kSharePairBytes, so that lengths say nothing.
struct SharePair {
  Place from = 0, to = 0;
  Share mask_key, self_mask;
};
inline constexpr std::size_t kSharePairBytes = 4 + 4 + 2 * (4 + 8 * kLimbs);
SecretBytes EncodePair(const SharePair& pair);
StatusOr<SharePair> DecodePair(ByteSpan bytes);

}  // namespace consilium::secagg
