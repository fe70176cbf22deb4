// R0 to R3: collect, check, relay.
#include "privacy/secagg/server.h"

#include <algorithm>

namespace consilium::secagg {
namespace {

constexpr std::string_view kPhaseNames[] = {"adverts",       "shares",   "vectors",
                                            "confirmations", "releases", "nothing more"};

template <typename Value>
std::set<Place> KeysOf(const std::map<Place, Value>& map) {
  std::set<Place> keys;
  for (const auto& [place, value] : map) keys.insert(place);
  return keys;
}

}  // namespace

StatusOr<ServerSession> ServerSession::Create(SessionTerms terms) {
  ASSIGN_OR_RETURN(SessionShape shape, ShapeOf(terms));
  return ServerSession(std::move(terms), std::move(shape));
}

ServerSession::ServerSession(SessionTerms terms, SessionShape shape)
    : terms_(std::move(terms)), shape_(std::move(shape)), context_(ContextOf(terms_, shape_)) {}

Status ServerSession::CheckPhase(Phase phase, Place place, const std::set<Place>& expected) const {
  if (phase_ != phase)
    return FailedPrecondition("the session waits for ", kPhaseNames[static_cast<std::size_t>(phase_)], ", not for ",
                              kPhaseNames[static_cast<std::size_t>(phase)]);
  if (!expected.contains(place)) return FailedPrecondition("place ", place, " does not take part in this phase");
  return Status();
}

bool ServerSession::AreNeighbours(Place a, Place b) const {
  return std::binary_search(shape_.neighbours[a].begin(), shape_.neighbours[a].end(), b);
}

std::size_t ServerSession::CountAround(Place place, const std::set<Place>& places) const {
  return static_cast<std::size_t>(std::count_if(
      places.begin(), places.end(), [&](Place other) { return other == place || AreNeighbours(place, other); }));
}

Status ServerSession::CheckAround(const std::set<Place>& places, const std::set<Place>& live) const {
  if (shape_.complete) return Status();  // as many are around each
  for (const Place place : places)
    if (const std::size_t around = CountAround(place, live); around < shape_.threshold)
      return FailedPrecondition("only ", around, " sites are left around '", NameOf(place), "'; ", shape_.threshold,
                                " are needed");
  return Status();
}

Status ServerSession::AddAdvert(const Advert& advert) {
  if (phase_ != Phase::kAdverts) return CheckPhase(Phase::kAdverts, advert.place, {});
  if (advert.place >= terms_.cohort.size()) return FailedPrecondition("place ", advert.place, " is not in the cohort");
  if (!crypto::Verify(terms_.cohort[advert.place].key, SignedBytes(context_, advert), advert.signature))
    return Unauthenticated("the advert of '", NameOf(advert.place),
                           "' is not signed by it for this session: it has another ",
                           "model, configuration or roster, or the key is forged");
  for (const auto& [place, other] : adverts_)
    if (place != advert.place && (other.channel == advert.channel || other.mask == advert.mask))
      return FailedPrecondition("'", NameOf(advert.place), "' advertises a key of '", NameOf(place), "'");
  if (!adverts_.emplace(advert.place, advert).second)
    return FailedPrecondition("'", NameOf(advert.place), "' has advertised");
  return Status();
}

Status ServerSession::CloseAdverts() {
  CONSILIUM_CHECK(phase_ == Phase::kAdverts, "adverts are closed once");
  advertised_ = KeysOf(adverts_);
  if (advertised_.size() < shape_.survivors_min)
    return FailedPrecondition("only ", advertised_.size(), " of ", terms_.cohort.size(),
                              " sites advertised their keys; ", shape_.survivors_min, " are needed");
  RETURN_IF_ERROR(CheckAround(advertised_, advertised_));
  phase_ = Phase::kShares;
  return Status();
}

std::vector<Advert> ServerSession::AdvertsFor(Place place) const {
  std::vector<Advert> adverts;
  for (const auto& [other, advert] : adverts_)
    if (other == place || AreNeighbours(place, other)) adverts.push_back(advert);
  return adverts;
}

Status ServerSession::AddShares(Place from, std::vector<SealedShares> shares) {
  RETURN_IF_ERROR(CheckPhase(Phase::kShares, from, advertised_));
  if (shares_.contains(from)) return FailedPrecondition("'", NameOf(from), "' has shared");
  std::map<Place, SealedShares> by_receiver;
  for (SealedShares& message : shares) {
    if (message.from != from || !advertised_.contains(message.to) || !AreNeighbours(from, message.to))
      return FailedPrecondition("'", NameOf(from), "' shared with place ", message.to,
                                ", which is no live neighbour of its");
    const Place to = message.to;
    if (!by_receiver.emplace(to, std::move(message)).second)
      return FailedPrecondition("'", NameOf(from), "' shared twice with '", NameOf(to), "'");
  }
  if (by_receiver.size() + 1 != CountAround(from, advertised_))
    return FailedPrecondition("'", NameOf(from), "' shared with ", by_receiver.size(), " of its ",
                              CountAround(from, advertised_) - 1, " live neighbours");
  shares_.emplace(from, std::move(by_receiver));
  return Status();
}

Status ServerSession::CloseShares() {
  CONSILIUM_CHECK(phase_ == Phase::kShares, "shares are closed once");
  shared_ = KeysOf(shares_);
  if (shared_.size() < shape_.survivors_min)
    return FailedPrecondition("only ", shared_.size(), " of ", advertised_.size(), " sites shared their keys; ",
                              shape_.survivors_min, " are needed");
  RETURN_IF_ERROR(CheckAround(shared_, shared_));
  phase_ = Phase::kVectors;
  return Status();
}

std::vector<SealedShares> ServerSession::SharesFor(Place place) const {
  std::vector<SealedShares> messages;
  for (const auto& [from, by_receiver] : shares_)
    if (const auto found = by_receiver.find(place); found != by_receiver.end()) messages.push_back(found->second);
  return messages;
}

Status ServerSession::AddVector(const MaskedHead& head) {
  RETURN_IF_ERROR(CheckPhase(Phase::kVectors, head.place, shared_));
  if (!crypto::Verify(terms_.cohort[head.place].key, SignedBytes(context_, head), head.signature))
    return Unauthenticated("the masked vector of '", NameOf(head.place), "' is not signed by it for this session");
  Places around = {};
  for (const Place other : shared_)
    if (other == head.place || AreNeighbours(head.place, other)) around.push_back(other);
  if (head.sharers != DigestOf(around))
    return FailedPrecondition("'", NameOf(head.place), "' masked with other neighbours than those that shared with it");
  if (!heads_.emplace(head.place, head).second)
    return FailedPrecondition("'", NameOf(head.place), "' has sent its vector");
  return Status();
}

Status ServerSession::CloseVectors(const AuditPoint& audit) {
  CONSILIUM_CHECK(phase_ == Phase::kVectors, "vectors are closed once");
  if (heads_.size() < shape_.survivors_min)
    return FailedPrecondition("only ", heads_.size(), " of ", shared_.size(), " sites sent their vectors; ",
                              shape_.survivors_min, " are needed");
  RETURN_IF_ERROR(CheckAround(shared_, KeysOf(heads_)));
  for (const auto& [place, head] : heads_) survivors_.push_back(place);
  audit_ = audit;
  phase_ = Phase::kConfirmations;
  return Status();
}

Status ServerSession::AddConfirmation(const Confirmation& confirmation) {
  RETURN_IF_ERROR(CheckPhase(Phase::kConfirmations, confirmation.place, KeysOf(heads_)));
  if (!crypto::Verify(terms_.cohort[confirmation.place].key, SignedBytes(context_, survivors_, confirmation),
                      confirmation.signature))
    return Unauthenticated("the confirmation of '", NameOf(confirmation.place),
                           "' is not its signature of these survivors");
  if (confirmation.audit != audit_)
    return Unauthenticated("'", NameOf(confirmation.place), "' confirmed another audit log than it was told of");
  if (!confirmations_.emplace(confirmation.place, confirmation).second)
    return FailedPrecondition("'", NameOf(confirmation.place), "' has confirmed");
  return Status();
}

Status ServerSession::CloseConfirmations() {
  CONSILIUM_CHECK(phase_ == Phase::kConfirmations, "confirmations are closed once");
  const std::size_t needed = shape_.complete ? shape_.threshold : shape_.survivors_min;
  if (confirmations_.size() < needed)
    return FailedPrecondition("only ", confirmations_.size(), " of ", survivors_.size(), " survivors confirmed; ",
                              needed, " are needed");
  RETURN_IF_ERROR(CheckAround(shared_, KeysOf(confirmations_)));
  phase_ = Phase::kReleases;
  return Status();
}

std::vector<Confirmation> ServerSession::ConfirmationsFor(Place) const {
  std::vector<Confirmation> all;
  for (const auto& [place, confirmation] : confirmations_) all.push_back(confirmation);
  return all;
}

std::size_t ServerSession::Answered() const {
  switch (phase_) {
    case Phase::kAdverts:
      return adverts_.size();
    case Phase::kShares:
      return shares_.size();
    case Phase::kVectors:
      return heads_.size();
    case Phase::kConfirmations:
      return confirmations_.size();
    case Phase::kReleases:
    case Phase::kDone:
      break;
  }
  return releases_.size();
}

Places ServerSession::Awaited() const {
  std::set<Place> expected, answered;
  switch (phase_) {
    case Phase::kAdverts:
      for (std::size_t i = 0; i < terms_.cohort.size(); ++i) expected.insert(static_cast<Place>(i));
      answered = KeysOf(adverts_);
      break;
    case Phase::kShares:
      expected = advertised_, answered = KeysOf(shares_);
      break;
    case Phase::kVectors:
      expected = shared_, answered = KeysOf(heads_);
      break;
    case Phase::kConfirmations:
      expected = KeysOf(heads_), answered = KeysOf(confirmations_);
      break;
    case Phase::kReleases:
      expected = KeysOf(confirmations_), answered = KeysOf(releases_);
      break;
    case Phase::kDone:
      break;
  }
  Places awaited;
  std::set_difference(expected.begin(), expected.end(), answered.begin(), answered.end(), std::back_inserter(awaited));
  return awaited;
}

}  // namespace consilium::secagg
