// A site's side of a secure sum, one type a state: what a state cannot do, its type does not offer, and every step
// consumes the state before it.  An error ends the session for good: the state is gone and its secrets are wiped.
//
//   AdvertisedSite --adverts--> SharingSite --sealed shares--> MaskingSite --its vector--> MaskedSite
//     --survivors--> ConfirmedSite --signatures--> ShareRelease
//
// The coordinator is not trusted: every list it sends is checked against the site's own roster, graph and threshold,
// and what differs is an Unauthenticated or FailedPrecondition error that names the fault.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>

#include "privacy/secagg/mask.h"
#include "privacy/secagg/messages.h"

namespace consilium::secagg {

// What a site knows of its session; immutable, shared by its states.
struct SiteView {
  SessionTerms terms;
  SessionShape shape;
  Digest context;
  Place place = 0;
  crypto::SigningKey signing;

  // Errors: those of CheckTerms and ShapeOf; FailedPrecondition when the cohort does not have this site under this key.
  static StatusOr<std::shared_ptr<const SiteView>> Create(SessionTerms terms, const SiteName& site,
                                                          crypto::SigningKey signing);
  bool IsNeighbour(Place other) const;
  // How many of these places, this site included, may hold shares of its secrets.
  std::size_t CountAround(const Places& places) const;
};
using SiteViewPtr = std::shared_ptr<const SiteView>;

struct PeerKeys {
  crypto::RawPublicKey channel{}, mask{};
};

// Survivors are confirmed; this site's shares wait for proof that the others confirmed the same.
class ConfirmedSite {
 public:
  const Confirmation& confirmation() const { return confirmation_; }
  // `confirmations`: what the coordinator says the survivors signed.  At least `threshold` of distinct survivors must
  // be valid for exactly the list and the audit log's state that this site confirmed (a log of which two versions are
  // kept ends here), in a k-regular graph as many around this site. The caller
  // makes "released (job, round)" durable before it sends what is returned, and never releases twice for one (job,
  // round): two releases could show one site's vector as a difference.
  StatusOr<ShareRelease> Release(std::span<const Confirmation> confirmations) &&;

 private:
  friend class MaskedSite;
  SiteViewPtr view_;
  std::map<Place, SharePair> held_;
  Places survivors_;
  Confirmation confirmation_;
};

// The vector is sent; only shares of others' secrets are left here.
class MaskedSite {
 public:
  const MaskedHead& head() const { return head_; }
  // Errors: FailedPrecondition when the list is not one that an honest coordinator can make: without this site, with
  // one that never shared, out of order, or smaller than the session's floor; or that keeps no audit log.
  StatusOr<ConfirmedSite> Confirm(const Places& survivors, const AuditPoint& audit) &&;

 private:
  friend class MaskingSite;
  SiteViewPtr view_;
  std::map<Place, SharePair> held_;
  MaskedHead head_;
};

// All shares are open; the vector can be masked.
class MaskingSite {
 public:
  // Adds this site's masks to coordinates begin .. begin + values.size() of its vector.  Thread-safe.
  void Mask(std::uint64_t begin, std::span<std::uint32_t> values, unsigned threads) const;
  // `vector`: digest of the whole masked vector, its blob's name.  Wipes the keys that masked it.
  MaskedSite Seal(const Digest& vector) &&;
  const Places& sharers() const { return sharers_; }  // itself included

 private:
  friend class SharingSite;
  SiteViewPtr view_;
  std::map<Place, SharePair> held_;
  Places sharers_;
  SecretBytes self_mask_;
  std::vector<SecretBytes> pair_masks_;
  std::vector<Sign> pair_signs_;
};

// Shares are sealed and sent.
class SharingSite {
 public:
  const std::vector<SealedShares>& sealed() const { return sealed_; }  // one for each live neighbour
  // `received`: from each neighbour that shared.  Errors: Unauthenticated naming the peer whose shares do not open or
  // are for somebody else; FailedPrecondition when too few shared, or one that cannot have.
  StatusOr<MaskingSite> Open(std::span<const SealedShares> received) &&;

 private:
  friend class AdvertisedSite;
  SiteViewPtr view_;
  std::map<Place, PeerKeys> peers_;
  std::vector<SealedShares> sealed_;
  SharePair own_;
  crypto::AgreementKey channel_, mask_;
  SecretBytes self_mask_;
  SharingSite(crypto::AgreementKey channel, crypto::AgreementKey mask)
      : channel_(std::move(channel)), mask_(std::move(mask)) {}
};

// Fresh keys are made and announced.
class AdvertisedSite {
 public:
  // `entropy` outlives the state.
  static StatusOr<AdvertisedSite> Begin(SiteViewPtr view, Entropy& entropy);
  const Advert& advert() const { return advert_; }
  // `adverts`: of this site's live neighbours and its own.  Errors: Unauthenticated naming the site whose advert is not
  // signed for this session; FailedPrecondition for a changed or missing own advert, a stranger, a repeated key, or too
  // few.
  StatusOr<SharingSite> Share(std::span<const Advert> adverts) &&;

 private:
  AdvertisedSite(SiteViewPtr view, Entropy& entropy, SecretBytes mask_seed, crypto::AgreementKey channel,
                 crypto::AgreementKey mask);
  SiteViewPtr view_;
  Entropy* entropy_;
  SecretBytes mask_seed_, self_mask_;
  crypto::AgreementKey channel_, mask_;
  Advert advert_;
};

// The key that seals shares from one site for another, and the seed of the mask that two sites share.  `shared` is what
// their X25519 keys agree on.
SecretBytes SealingKey(const Digest& context, const SecretBytes& shared, Place from, Place to);
SecretBytes PairSeed(const Digest& context, const SecretBytes& shared, Place a, Place b);

}  // namespace consilium::secagg
