// R3 and R4: one list of survivors, signed by enough of them, then one share of each peer.
#include <algorithm>

#include "privacy/secagg/site.h"

namespace consilium::secagg {

StatusOr<ConfirmedSite> MaskedSite::Confirm(const Places& survivors, const AuditPoint& audit) && {
  const SessionShape& shape = view_->shape;
  if (!IsSortedAndBelow(survivors, view_->terms.cohort.size()))
    return FailedPrecondition("the survivors are not a list of distinct places of the cohort in order");
  if (!std::binary_search(survivors.begin(), survivors.end(), view_->place))
    return FailedPrecondition("we sent our vector and are not among the survivors");
  for (const Place place : survivors)
    if (view_->IsNeighbour(place) && !held_.contains(place))
      return FailedPrecondition("'", view_->terms.cohort[place].name,
                                "' survives without having shared its keys with us");
  if (survivors.size() < shape.survivors_min)
    return FailedPrecondition("only ", survivors.size(), " survivors; at least ", shape.survivors_min, " are needed");
  if (view_->CountAround(survivors) < shape.threshold)
    return FailedPrecondition("only ", view_->CountAround(survivors), " survivors around us; ", shape.threshold,
                              " are needed");
  if (audit.entries == 0) return FailedPrecondition("the coordinator tells nothing of its audit log");
  ConfirmedSite next;
  next.confirmation_ = {.place = view_->place, .audit = audit};
  next.confirmation_.signature = view_->signing.Sign(SignedBytes(view_->context, survivors, next.confirmation_));
  next.view_ = std::move(view_);
  next.held_ = std::move(held_);
  next.survivors_ = survivors;
  return next;
}

StatusOr<ShareRelease> ConfirmedSite::Release(std::span<const Confirmation> confirmations) && {
  const SessionShape& shape = view_->shape;
  Places signers;
  for (const Confirmation& confirmation : confirmations) {
    if (!std::binary_search(survivors_.begin(), survivors_.end(), confirmation.place))
      return FailedPrecondition("a confirmation of place ", confirmation.place,
                                ", who is not among the survivors that we confirmed");
    const Member& member = view_->terms.cohort[confirmation.place];
    if (!crypto::Verify(member.key, SignedBytes(view_->context, survivors_, confirmation), confirmation.signature))
      return Unauthenticated("the confirmation of '", member.name,
                             "' is not its signature of the survivors that we confirmed: ",
                             "the coordinator showed it other ones, or forged it");
    if (confirmation.audit != confirmation_.audit)
      return FailedPrecondition("the coordinator told '", member.name, "' of another audit log than us: after ",
                                confirmation.audit.entries, " entries ", confirmation.audit.head, ", and after ",
                                confirmation_.audit.entries, " entries ", confirmation_.audit.head);
    signers.push_back(confirmation.place);
  }
  std::sort(signers.begin(), signers.end());
  if (std::adjacent_find(signers.begin(), signers.end()) != signers.end())
    return FailedPrecondition("a survivor's confirmation came twice");
  if (view_->CountAround(signers) < shape.threshold)
    return FailedPrecondition("only ", view_->CountAround(signers), " survivors around us confirmed the list; ",
                              shape.threshold, " are needed");
  if (!shape.complete && signers.size() < shape.survivors_min)
    return FailedPrecondition("only ", signers.size(), " survivors confirmed the list; ", shape.survivors_min,
                              " are needed");
  ShareRelease release = {.from = view_->place};
  for (const auto& [place, pair] : held_) {
    // One branch or the other: never both shares of one peer.
    const bool survived = std::binary_search(survivors_.begin(), survivors_.end(), place);
    release.shares.push_back(survived ? ReleasedShare{place, SecretKind::kSelfMask, pair.self_mask}
                                      : ReleasedShare{place, SecretKind::kPairKey, pair.mask_key});
  }
  held_.clear();
  return release;
}

}  // namespace consilium::secagg
