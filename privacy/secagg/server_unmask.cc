// R4: shares become secrets, secrets become the masks that are left in the sum.
#include <algorithm>

#include "comm/base/rng.h"
#include "privacy/secagg/server.h"
#include "privacy/secagg/site.h"

namespace consilium::secagg {
namespace {

// How many subsets of shares are tried before a secret is given up.  With e wrong shares of m a random subset of t is
// good with probability C(m-e, t) / C(m, t): 1 in 57 for m = 20, t = 14, e = 3.
constexpr int kTriesMax = 4000;

struct Offered {
  Place from = 0;
  Share share;
};

// Polynomials through shares at some points.  The same holders answer for many secrets, so what depends on the points
// alone is computed once for each set of them: t^2 products, and t for each further point.
class Points {
 public:
  // Null: no polynomial goes through these.
  const Rebuilder* Through(std::span<const Offered> shares) {
    std::vector<ShareX> xs;
    for (const Offered& one : shares) xs.push_back(one.share.x);
    if (rebuilder_ && xs == xs_) return &*rebuilder_;
    xs_ = std::move(xs);
    rebuilder_.reset();
    weights_.clear(), coefficients_.clear();
    if (StatusOr<Rebuilder> made = Rebuilder::For(xs_); made.ok()) rebuilder_ = *std::move(made);
    return rebuilder_ ? &*rebuilder_ : nullptr;
  }
  // What an honest share at `x` would be, by the shares that Through() was last asked about; x is none of theirs.
  std::array<std::uint64_t, kLimbs> ValueAt(std::span<const Offered> shares, ShareX x) {
    const std::vector<std::uint64_t>& coefficients = CoefficientsAt(x);
    std::array<std::uint64_t, kLimbs> value{};
    for (std::size_t i = 0; i < shares.size(); ++i)
      for (std::size_t limb = 0; limb < kLimbs; ++limb)
        value[limb] = FieldAdd(value[limb], FieldMultiply(coefficients[i], shares[i].share.y[limb]));
    return value;
  }

 private:
  // Lagrange: prod_j (x_j - x) / (x_i - x) / prod_{j != i} (x_j - x_i).
  const std::vector<std::uint64_t>& CoefficientsAt(ShareX x) {
    const auto found = coefficients_.find(x);
    if (found != coefficients_.end()) return found->second;
    if (weights_.empty())
      for (const ShareX own : xs_) {
        std::uint64_t product = 1;
        for (const ShareX other : xs_)
          if (other != own) product = FieldMultiply(product, FieldSubtract(other, own));
        weights_.push_back(FieldInverse(product));
      }
    std::uint64_t all = 1;
    for (const ShareX other : xs_) all = FieldMultiply(all, FieldSubtract(other, x));
    std::vector<std::uint64_t>& made = coefficients_[x];
    for (std::size_t i = 0; i < xs_.size(); ++i)
      made.push_back(FieldMultiply(FieldMultiply(all, FieldInverse(FieldSubtract(xs_[i], x))), weights_[i]));
    return made;
  }

  std::vector<ShareX> xs_;
  std::optional<Rebuilder> rebuilder_;
  std::vector<std::uint64_t> weights_;
  std::map<ShareX, std::vector<std::uint64_t>> coefficients_;
};

// Rebuilds one secret that `is_right` recognises.  Those whose shares are not on its polynomials go to `liars`.
template <typename IsRight>
std::optional<SecretBytes> RebuildOne(std::vector<Offered> offered, std::size_t threshold, const IsRight& is_right,
                                      Points* points, std::set<Place>* liars) {
  std::erase_if(offered, [&](const Offered& one) {  // not even in the field
    const bool outside =
        std::any_of(one.share.y.begin(), one.share.y.end(), [](std::uint64_t y) { return y >= kFieldPrime; });
    if (outside) liars->insert(one.from);
    return outside;
  });
  // Known liars last: the first subset is then good again for the next secret.
  std::stable_partition(offered.begin(), offered.end(), [&](const Offered& one) { return !liars->contains(one.from); });
  Rng rng(1);
  for (int tries = 0; tries < kTriesMax && offered.size() >= threshold; ++tries) {
    const std::span<const Offered> tried(offered.data(), threshold);
    const Rebuilder* const rebuilder = points->Through(tried);
    if (rebuilder == nullptr) return std::nullopt;
    std::vector<Share> shares;
    for (const Offered& one : tried) shares.push_back(one.share);
    StatusOr<SecretBytes> secret = rebuilder->Rebuild(shares);
    if (secret.ok() && is_right(*secret)) {
      for (std::size_t i = threshold; i < offered.size(); ++i)
        if (points->ValueAt(tried, offered[i].share.x) != offered[i].share.y) liars->insert(offered[i].from);
      return std::move(*secret);
    }
    if (offered.size() == threshold) break;
    rng.Shuffle(std::span(offered));
  }
  return std::nullopt;
}

}  // namespace

std::vector<MaskTerm> Unmasking::Terms() const {
  std::vector<MaskTerm> terms;
  for (std::size_t i = 0; i < seeds.size(); ++i) terms.push_back({&seeds[i], signs[i]});
  return terms;
}

Status ServerSession::AddRelease(const ShareRelease& release) {
  std::set<Place> confirmed;
  for (const auto& [place, confirmation] : confirmations_) confirmed.insert(place);
  RETURN_IF_ERROR(CheckPhase(Phase::kReleases, release.from, confirmed));
  if (releases_.contains(release.from)) return FailedPrecondition("'", NameOf(release.from), "' has released");
  std::size_t expected = 0;
  for (const Place place : shared_) expected += place == release.from || AreNeighbours(release.from, place);
  if (release.shares.size() != expected)
    return FailedPrecondition("'", NameOf(release.from), "' released ", release.shares.size(), " shares of ", expected);
  for (const ReleasedShare& released : release.shares) {
    if (!shared_.contains(released.of) || (released.of != release.from && !AreNeighbours(release.from, released.of)))
      return FailedPrecondition("'", NameOf(release.from), "' released a share of place ", released.of,
                                ", which gave it none");
    const bool survived = std::binary_search(survivors_.begin(), survivors_.end(), released.of);
    if (released.kind != (survived ? SecretKind::kSelfMask : SecretKind::kPairKey))
      return FailedPrecondition("'", NameOf(release.from), "' released the wrong kind of share of '",
                                NameOf(released.of), "'");
    if (released.share.x != release.from + 1)
      return FailedPrecondition("'", NameOf(release.from), "' released a share at ", released.share.x,
                                " that is not its own");
  }
  releases_.emplace(release.from, release);
  return Status();
}

bool ServerSession::CanUnmask() const {
  if (phase_ != Phase::kReleases) return false;
  std::set<Place> released;
  for (const auto& [place, release] : releases_) released.insert(place);
  return std::all_of(shared_.begin(), shared_.end(),
                     [&](Place place) { return CountAround(place, released) >= shape_.threshold; });
}

StatusOr<Unmasking> ServerSession::Unmask() {
  if (!CanUnmask())
    return FailedPrecondition("too few survivors released their shares: ", releases_.size(), " of ", survivors_.size());
  std::map<Place, std::vector<Offered>> offered;
  for (const auto& [from, release] : releases_)
    for (const ReleasedShare& released : release.shares) offered[released.of].push_back({from, released.share});
  Unmasking unmasking;
  Points points;
  for (const Place place : shared_) {
    const Advert& advert = adverts_.at(place);
    if (std::binary_search(survivors_.begin(), survivors_.end(), place)) {
      std::optional<SecretBytes> seed = RebuildOne(
          offered[place], shape_.threshold,
          [&](const SecretBytes& secret) { return CommitmentTo(context_, secret) == advert.commitment; }, &points,
          &unmasking.liars);
      if (!seed)
        return DataLoss("no shares rebuild the self-mask of '", NameOf(place),
                        "': it shared wrong ones, or too many others lie");
      unmasking.seeds.push_back(std::move(*seed));
      unmasking.signs.push_back(Sign::kSubtract);
      continue;
    }
    std::optional<SecretBytes> seed = RebuildOne(
        offered[place], shape_.threshold,
        [&](const SecretBytes& secret) { return crypto::AgreementKey::FromSeed(secret)->public_key() == advert.mask; },
        &points, &unmasking.liars);
    if (!seed)
      return DataLoss("no shares rebuild the mask key of '", NameOf(place),
                      "', which dropped out: it shared wrong ones, ", "or too many others lie");
    const crypto::AgreementKey key = crypto::AgreementKey::FromSeed(*seed).value();
    for (const Place survivor : survivors_) {
      if (!AreNeighbours(place, survivor)) continue;
      ASSIGN_OR_RETURN(const SecretBytes shared, key.Agree(adverts_.at(survivor).mask));
      unmasking.seeds.push_back(PairSeed(context_, shared, place, survivor));
      // The survivor added the mask when the dropped site's place is above its own.
      unmasking.signs.push_back(place > survivor ? Sign::kSubtract : Sign::kAdd);
    }
  }
  phase_ = Phase::kDone;
  return unmasking;
}

}  // namespace consilium::secagg
