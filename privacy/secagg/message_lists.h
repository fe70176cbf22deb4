// Several messages of a secure sum in one body, as the coordinator relays them.  Canonical; decoders are total, as
// those of single messages (messages.h).
#pragma once

#include <span>
#include <vector>

#include "privacy/secagg/messages.h"

namespace consilium::secagg {

Bytes EncodeAdverts(std::span<const Advert> messages);
Bytes EncodeShares(std::span<const SealedShares> messages);
Bytes EncodeConfirmations(std::span<const Confirmation> messages);
StatusOr<std::vector<Advert>> DecodeAdverts(ByteSpan bytes);
StatusOr<std::vector<SealedShares>> DecodeShares(ByteSpan bytes);
StatusOr<std::vector<Confirmation>> DecodeConfirmations(ByteSpan bytes);

// Who is asked to take part.  A site looks up their keys in its own roster.
Bytes EncodeNames(std::span<const SiteName> names);
StatusOr<std::vector<SiteName>> DecodeNames(ByteSpan bytes);

// The same of a sum with differential privacy for sites, and the clip that the round's updates are cut to.
struct NoisyOpening {
  std::vector<SiteName> names;
  double clip = 0;
  friend bool operator==(const NoisyOpening&, const NoisyOpening&) = default;
};
Bytes Encode(const NoisyOpening& opening);
StatusOr<NoisyOpening> DecodeNoisyOpening(ByteSpan bytes);

// Whom the coordinator has for survivors, and how far its audit log has come.
struct SurvivorList {
  Places survivors;
  AuditPoint audit;
  friend bool operator==(const SurvivorList&, const SurvivorList&) = default;
};
Bytes Encode(const SurvivorList& list);
StatusOr<SurvivorList> DecodeSurvivorList(ByteSpan bytes);

}  // namespace consilium::secagg
