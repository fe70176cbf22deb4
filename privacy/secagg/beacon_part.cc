#include "privacy/secagg/beacon_part.h"

#include <algorithm>

namespace consilium::secagg {

StatusOr<BeaconPart> BeginBeacon(const BeaconTerms& terms, const SiteName& site,
                                 const std::optional<BeaconPart>& before, Entropy& entropy) {
  RETURN_IF_ERROR(CheckBeaconTerms(terms));
  if (std::ranges::none_of(terms.sites, [&](const Member& member) { return member.name == site; }))
    return FailedPrecondition("the beacon's sites are without us ('", site, "')");
  BeaconPart part{.round = terms.round, .attempt = terms.attempt, .context = ContextOf(terms)};
  if (before && std::pair(terms.round, terms.attempt) <= std::pair(before->round, before->attempt)) {
    if (before->context == part.context) return *before;
    return FailedPrecondition("beacon ", terms.attempt, " of round ", terms.round,
                              " is older than the newest that this site has part in, or has other sites than before");
  }
  if (before && before->round == terms.round) part.revealed = before->revealed;
  if (part.revealed >= kBeaconTriesMax)
    return PermissionDenied("this site has said ", part.revealed, " nonces for a beacon of round ", terms.round,
                            ", and says no more: who may try often can choose among beacons");
  entropy.Fill(part.nonce);
  return part;
}

StatusOr<BeaconPart> RevealNonce(const BeaconTerms& terms, const SiteName& site, const BeaconPart& part,
                                 std::span<const BeaconCommitment> commitments) {
  const Digest context = ContextOf(terms);
  if (part.context != context)
    return FailedPrecondition("the nonce is asked for of a beacon that this site has not committed to");
  if (commitments.size() != terms.sites.size())
    return Unauthenticated(commitments.size(), " commitments of ", terms.sites.size(),
                           " sites; a nonce is said when all have committed");
  const Digest digest = DigestOf(context, commitments);
  if (part.commitments) {
    if (*part.commitments == digest) return part;
    return Unauthenticated("the nonce was said against other commitments; it would choose between them");
  }
  for (std::size_t i = 0; i < commitments.size(); ++i) {
    const Member& member = terms.sites[i];
    if (member.name == site && !CheckNonce(context, site, commitments[i], part.nonce).ok())
      return Unauthenticated("our own commitment was changed");
    RETURN_IF_ERROR(CheckCommitment(context, member, commitments[i]));
  }
  BeaconPart revealed = part;
  revealed.commitments = digest;
  ++revealed.revealed;
  return revealed;
}

StatusOr<Beacon> FinishBeacon(const BeaconTerms& terms, const BeaconPart& part,
                              std::span<const BeaconCommitment> commitments, std::span<const BeaconNonce> nonces) {
  const Digest context = ContextOf(terms);
  if (part.context != context || !part.commitments)
    return FailedPrecondition("a beacon that has no nonce of this site in it");
  if (*part.commitments != DigestOf(context, commitments))
    return Unauthenticated("the beacon is made of other commitments than those that this site said its nonce against");
  return BeaconOf(terms, commitments, nonces);
}

}  // namespace consilium::secagg
