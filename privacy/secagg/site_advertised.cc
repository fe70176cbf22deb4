// R0 and R1: fresh keys, and shares of what they protect.
#include "privacy/secagg/site.h"

namespace consilium::secagg {

StatusOr<AdvertisedSite> AdvertisedSite::Begin(SiteViewPtr view, Entropy& entropy) {
  SecretBytes mask_seed = RandomSecret(entropy, kSecretBytes);
  ASSIGN_OR_RETURN(crypto::AgreementKey mask, crypto::AgreementKey::FromSeed(mask_seed));
  crypto::AgreementKey channel = crypto::AgreementKey::Generate(entropy);
  return AdvertisedSite(std::move(view), entropy, std::move(mask_seed), std::move(channel), std::move(mask));
}

AdvertisedSite::AdvertisedSite(SiteViewPtr view, Entropy& entropy, SecretBytes mask_seed, crypto::AgreementKey channel,
                               crypto::AgreementKey mask)
    : view_(std::move(view)),
      entropy_(&entropy),
      mask_seed_(std::move(mask_seed)),
      self_mask_(RandomSecret(entropy, kSecretBytes)),
      channel_(std::move(channel)),
      mask_(std::move(mask)) {
  advert_ = {.place = view_->place,
             .channel = channel_.public_key(),
             .mask = mask_.public_key(),
             .commitment = CommitmentTo(view_->context, self_mask_)};
  advert_.signature = view_->signing.Sign(SignedBytes(view_->context, advert_));
}

StatusOr<SharingSite> AdvertisedSite::Share(std::span<const Advert> adverts) && {
  const std::vector<Member>& cohort = view_->terms.cohort;
  std::map<Place, PeerKeys> peers;
  std::set<crypto::RawPublicKey> keys;
  bool own_seen = false;
  for (const Advert& advert : adverts) {
    if (advert.place >= cohort.size())
      return FailedPrecondition("an advert of place ", advert.place, " of ", cohort.size());
    const SiteName& name = cohort[advert.place].name;
    if (advert.place == view_->place) {
      if (own_seen || advert != advert_) return FailedPrecondition("our own advert came back changed or twice");
      own_seen = true;
    } else {
      if (!view_->IsNeighbour(advert.place))
        return FailedPrecondition("an advert of '", name, "', who is no neighbour of ours");
      if (!crypto::Verify(cohort[advert.place].key, SignedBytes(view_->context, advert), advert.signature))
        return Unauthenticated("the advert of '", name,
                               "' is not signed by it for this session: another model, job or ",
                               "cohort, or a forged key");
      if (!peers.emplace(advert.place, PeerKeys{advert.channel, advert.mask}).second)
        return FailedPrecondition("two adverts of '", name, "'");
    }
    if (!keys.insert(advert.channel).second || !keys.insert(advert.mask).second)
      return FailedPrecondition("a public key of '", name, "' is somebody else's too");
  }
  if (!own_seen) return FailedPrecondition("our own advert did not come back");
  if (peers.size() + 1 < view_->shape.threshold)
    return FailedPrecondition("only ", peers.size() + 1, " sites advertised around us; ", view_->shape.threshold,
                              " are needed");

  std::vector<ShareX> xs = {view_->place + 1};
  for (const auto& [place, peer] : peers) xs.push_back(place + 1);
  ASSIGN_OR_RETURN(const std::vector<secagg::Share> mask_shares,
                   Split(mask_seed_, view_->shape.threshold, xs, *entropy_));
  ASSIGN_OR_RETURN(const std::vector<secagg::Share> self_shares,
                   Split(self_mask_, view_->shape.threshold, xs, *entropy_));
  SharingSite next(channel_, mask_);
  next.own_ = {view_->place, view_->place, mask_shares[0], self_shares[0]};
  std::size_t index = 0;
  for (const auto& [place, peer] : peers) {
    ++index;
    ASSIGN_OR_RETURN(const SecretBytes shared, channel_.Agree(peer.channel));
    const SharePair pair = {view_->place, place, mask_shares[index], self_shares[index]};
    SealedShares sealed = {.from = view_->place, .to = place};
    entropy_->Fill(sealed.nonce);
    sealed.sealed = crypto::Seal(SealingKey(view_->context, shared, view_->place, place), sealed.nonce,
                                 AssociatedBytes(view_->context, view_->place, place), EncodePair(pair).Reveal());
    next.sealed_.push_back(std::move(sealed));
  }
  next.view_ = std::move(view_);
  next.peers_ = std::move(peers);
  next.self_mask_ = std::move(self_mask_);
  return next;
}

}  // namespace consilium::secagg
