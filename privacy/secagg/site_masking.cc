// R2: shares are opened, the vector is masked.
#include <algorithm>

#include "privacy/secagg/site.h"

namespace consilium::secagg {

StatusOr<MaskingSite> SharingSite::Open(std::span<const SealedShares> received) && {
  MaskingSite next;
  next.held_.emplace(view_->place, own_);
  next.sharers_.push_back(view_->place);
  for (const SealedShares& message : received) {
    const auto peer = peers_.find(message.from);
    if (peer == peers_.end())
      return FailedPrecondition("shares from place ", message.from, ", who advertised nothing to us");
    const SiteName& name = view_->terms.cohort[message.from].name;
    if (message.to != view_->place) return FailedPrecondition("shares of '", name, "' that are for place ", message.to);
    ASSIGN_OR_RETURN(const SecretBytes shared, channel_.Agree(peer->second.channel));
    const StatusOr<SecretBytes> plain =
        crypto::Open(SealingKey(view_->context, shared, message.from, view_->place), message.nonce,
                     AssociatedBytes(view_->context, message.from, view_->place), message.sealed);
    if (!plain.ok()) return Annotate(plain.status(), Concat("the shares of '", name, "'"));
    const StatusOr<SharePair> pair = DecodePair(plain->Reveal());
    if (!pair.ok()) return Annotate(pair.status(), Concat("the shares of '", name, "'"));
    if (pair->from != message.from || pair->to != view_->place || pair->mask_key.x != view_->place + 1 ||
        pair->self_mask.x != view_->place + 1)
      return Unauthenticated("the shares of '", name, "' are at points that are not ours");
    if (!next.held_.emplace(message.from, *pair).second) return FailedPrecondition("shares of '", name, "' came twice");
    next.sharers_.push_back(message.from);
    ASSIGN_OR_RETURN(const SecretBytes agreed, mask_.Agree(peer->second.mask));
    next.pair_masks_.push_back(PairSeed(view_->context, agreed, view_->place, message.from));
    next.pair_signs_.push_back(message.from > view_->place ? Sign::kAdd : Sign::kSubtract);
  }
  if (next.held_.size() < view_->shape.threshold)
    return FailedPrecondition("only ", next.held_.size(), " sites shared around us; ", view_->shape.threshold,
                              " are needed");
  std::sort(next.sharers_.begin(), next.sharers_.end());
  next.view_ = std::move(view_);
  next.self_mask_ = std::move(self_mask_);
  return next;
}

void MaskingSite::Mask(std::uint64_t begin, std::span<std::uint32_t> values, unsigned threads) const {
  std::vector<MaskTerm> terms = {{&self_mask_, Sign::kAdd}};
  for (std::size_t i = 0; i < pair_masks_.size(); ++i) terms.push_back({&pair_masks_[i], pair_signs_[i]});
  ApplyMasks(terms, {.cipher = view_->terms.cipher, .context = view_->context, .threads = threads}, begin, values);
}

MaskedSite MaskingSite::Seal(const Digest& vector) && {
  MaskedSite next;
  next.head_ = {.place = view_->place, .vector = vector, .sharers = DigestOf(sharers_)};
  next.head_.signature = view_->signing.Sign(SignedBytes(view_->context, next.head_));
  next.view_ = std::move(view_);
  next.held_ = std::move(held_);
  self_mask_ = SecretBytes();
  pair_masks_.clear();
  return next;
}

}  // namespace consilium::secagg
