#include <algorithm>

#include "privacy/crypto/hkdf.h"
#include "privacy/secagg/site.h"

namespace consilium::secagg {

StatusOr<SiteViewPtr> SiteView::Create(SessionTerms terms, const SiteName& site, crypto::SigningKey signing) {
  ASSIGN_OR_RETURN(SessionShape shape, ShapeOf(terms));
  const auto found =
      std::find_if(terms.cohort.begin(), terms.cohort.end(), [&](const Member& m) { return m.name == site; });
  if (found == terms.cohort.end()) return FailedPrecondition("the cohort is without us ('", site, "')");
  if (found->key != signing.public_key())
    return FailedPrecondition("the cohort has another signing key for us ('", site, "') than the one that we hold");
  const auto place = static_cast<Place>(found - terms.cohort.begin());
  const Digest context = ContextOf(terms, shape);
  return std::make_shared<const SiteView>(
      SiteView{std::move(terms), std::move(shape), context, place, std::move(signing)});
}

bool SiteView::IsNeighbour(Place other) const {
  const std::vector<Place>& mine = shape.neighbours[place];
  return std::binary_search(mine.begin(), mine.end(), other);
}

std::size_t SiteView::CountAround(const Places& places) const {
  return static_cast<std::size_t>(
      std::count_if(places.begin(), places.end(), [&](Place other) { return other == place || IsNeighbour(other); }));
}

SecretBytes SealingKey(const Digest& context, const SecretBytes& shared, Place from, Place to) {
  ByteWriter info;
  info.PutString("share");
  info.Put(from), info.Put(to);
  return crypto::HkdfSha256(shared.Reveal(), context.bytes, info.bytes(), 32);
}

SecretBytes PairSeed(const Digest& context, const SecretBytes& shared, Place a, Place b) {
  ByteWriter info;
  info.PutString("pair");
  info.Put(std::min(a, b)), info.Put(std::max(a, b));
  return crypto::HkdfSha256(shared.Reveal(), context.bytes, info.bytes(), 32);
}

}  // namespace consilium::secagg
