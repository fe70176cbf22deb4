#include "client/core/secure_site.h"

#include <algorithm>

#include "privacy/secagg/message_lists.h"
#include "privacy/secagg/neighbours.h"
#include "privacy/secagg/thresholds.h"
#include "privacy/secagg/vector.h"

namespace consilium::client {

using wire::SecureStage;

namespace {

StatusOr<secagg::NoisyOpening> OpeningOf(const SecureWork& work, ByteSpan body) {
  if (work.privacy) {
    ASSIGN_OR_RETURN(secagg::NoisyOpening opening, secagg::DecodeNoisyOpening(body));
    if (!(opening.clip >= wire::kSiteClipMin && opening.clip <= wire::kSiteClipMax))
      return PermissionDenied("the coordinator wants updates clipped to ", opening.clip, "; a clip is between ",
                              wire::kSiteClipMin, " and ", wire::kSiteClipMax);
    return opening;
  }
  ASSIGN_OR_RETURN(std::vector<SiteName> names, secagg::DecodeNames(body));
  return secagg::NoisyOpening{std::move(names), work.clip};
}

// Completes the terms.
StatusOr<SecureSite::Noise> NoiseFor(const SecureWork& work, secagg::SessionTerms* terms) {
  ASSIGN_OR_RETURN(private_sum::NoisePlan plan,
                   private_sum::CompleteTerms(
                       {.spec = work.privacy->spec, .rounds = work.privacy->rounds, .elements = work.elements}, terms));
  secagg::SessionTerms lasting = *terms;  // the vector does not depend on who shares masks with whom
  lasting.attempt = Attempt{0};
  lasting.beacon = {};
  ASSIGN_OR_RETURN(const secagg::SessionShape shape, secagg::ShapeOf(lasting));
  return SecureSite::Noise{plan, terms->clip, secagg::ContextOf(lasting, shape)};
}

// What draws the graph of a sum that is too large for everybody to share masks with everybody.
StatusOr<Digest> GraphBeaconOf(const SecureWork& work, const std::vector<SiteName>& names) {
  if (names.size() <= secagg::kCompleteMax) return Digest{};
  if (!work.beacon)
    return PermissionDenied("a sum of ", names.size(), " sites, and no beacon was agreed on to draw its graph");
  if (work.beacon->sites != names)
    return PermissionDenied("a sum of ", names.size(), " sites that are not exactly the ", work.beacon->sites.size(),
                            " of the beacon: who may choose them afterwards can choose among graphs");
  return work.beacon->value;
}

}  // namespace

StatusOr<std::vector<secagg::Member>> MembersOf(const SecureParty& party, const std::vector<SiteName>& names) {
  if (names.size() < party.min_cohort)
    return PermissionDenied("the coordinator wants to sum ", names.size(),
                            " sites; this site takes part among at least ", party.min_cohort);
  std::vector<secagg::Member> members;
  for (const SiteName& name : names) {
    const auto known = party.roster.find(name);
    if (known == party.roster.end())
      return PermissionDenied("the coordinator names '", name, "' among the sites, who is not in this site's roster");
    members.push_back({name, known->second});
  }
  return members;
}

SecureSite::SecureSite(secagg::AdvertisedSite advertised, const wire::SecureRequest& question,
                       std::vector<SiteName> cohort, Duration silence_max)
    : task_(question.task), session_(question.session), cohort_(std::move(cohort)), silence_max_(silence_max) {
  answer_ = AnswerOf(SecureStage::kKeys, secagg::Encode(advertised.advert()));
  state_ = std::move(advertised);
}

wire::SecureAnswer SecureSite::AnswerOf(SecureStage stage, Bytes body) const {
  return {.task = task_, .session = session_, .stage = stage, .body = std::move(body)};
}

StatusOr<SecureSite> SecureSite::Open(const SecureParty& party, const SecureWork& work,
                                      const wire::SecureRequest& question) {
  ASSIGN_OR_RETURN(const secagg::NoisyOpening opening, OpeningOf(work, question.body));
  const std::vector<SiteName>& names = opening.names;
  ASSIGN_OR_RETURN(std::vector<secagg::Member> members, MembersOf(party, names));
  ASSIGN_OR_RETURN(const Digest beacon, GraphBeaconOf(work, names));
  secagg::SessionTerms terms{.job = question.task.job,
                             .round = question.task.round,
                             .attempt = Attempt{question.session},
                             .cohort = std::move(members),
                             .model = work.model,
                             .configuration = work.configuration,
                             .beacon = beacon,
                             .dimension = secagg::DimensionFor(work.elements),
                             .clip = opening.clip,
                             .corrupt = static_cast<std::uint32_t>(secagg::DefaultCorrupt(names.size())),
                             .min_cohort = work.min_cohort};
  std::optional<Noise> noise;
  if (work.privacy) {
    ASSIGN_OR_RETURN(noise, NoiseFor(work, &terms));
  }
  ASSIGN_OR_RETURN(secagg::SiteViewPtr view, secagg::SiteView::Create(std::move(terms), party.name, party.signing));
  ASSIGN_OR_RETURN(secagg::AdvertisedSite advertised, secagg::AdvertisedSite::Begin(std::move(view), *party.entropy));
  SecureSite site(std::move(advertised), question, names, work.silence_max);
  site.noise_ = std::move(noise);
  return site;
}

SecureStage SecureSite::expected() const {
  if (masking_) return SecureStage::kConfirm;  // once its vector is sealed
  if (std::holds_alternative<secagg::AdvertisedSite>(state_)) return SecureStage::kShares;
  if (std::holds_alternative<secagg::SharingSite>(state_)) return SecureStage::kVector;
  if (std::holds_alternative<secagg::MaskedSite>(state_)) return SecureStage::kConfirm;
  return SecureStage::kRelease;
}

bool SecureSite::IsOld(const wire::SecureRequest& question) const {
  return question.stage < expected() || std::holds_alternative<std::monostate>(state_);
}

Status SecureSite::Answer(const wire::SecureRequest& question) {
  if (masking_ || question.stage != expected())
    return FailedPrecondition("the coordinator asks for '", wire::SecureStageName(question.stage), "' where '",
                              wire::SecureStageName(expected()), "' is next");
  auto state = std::exchange(state_, std::monostate());
  switch (question.stage) {
    case SecureStage::kShares: {
      ASSIGN_OR_RETURN(const std::vector<secagg::Advert> adverts, secagg::DecodeAdverts(question.body));
      ASSIGN_OR_RETURN(secagg::SharingSite next, std::get<secagg::AdvertisedSite>(std::move(state)).Share(adverts));
      answer_ = AnswerOf(SecureStage::kShares, secagg::EncodeShares(next.sealed()));
      state_ = std::move(next);
      return Status();
    }
    case SecureStage::kConfirm: {
      ASSIGN_OR_RETURN(const secagg::SurvivorList list, secagg::DecodeSurvivorList(question.body));
      ASSIGN_OR_RETURN(secagg::ConfirmedSite next,
                       std::get<secagg::MaskedSite>(std::move(state)).Confirm(list.survivors, list.audit));
      answer_ = AnswerOf(SecureStage::kConfirm, secagg::Encode(next.confirmation()));
      confirmed_ = Confirmed{{}, list.audit};
      for (const secagg::Place place : list.survivors) confirmed_->survivors.push_back(cohort_[place]);
      state_ = std::move(next);
      return Status();
    }
    case SecureStage::kRelease: {
      ASSIGN_OR_RETURN(const std::vector<secagg::Confirmation> confirmations,
                       secagg::DecodeConfirmations(question.body));
      ASSIGN_OR_RETURN(const secagg::ShareRelease release,
                       std::get<secagg::ConfirmedSite>(std::move(state)).Release(confirmations));
      answer_ = AnswerOf(SecureStage::kRelease, secagg::Encode(release));
      return Status();
    }
    default:
      return FailedPrecondition("'", wire::SecureStageName(question.stage), "' is no question for an answer");
  }
}

StatusOr<std::shared_ptr<const secagg::MaskingSite>> SecureSite::OpenShares(const wire::SecureRequest& question) {
  if (masking_ || expected() != SecureStage::kVector)
    return FailedPrecondition("the coordinator asks for a vector where '", wire::SecureStageName(expected()),
                              "' is next");
  auto state = std::exchange(state_, std::monostate());
  ASSIGN_OR_RETURN(const std::vector<secagg::SealedShares> shares, secagg::DecodeShares(question.body));
  ASSIGN_OR_RETURN(secagg::MaskingSite masking, std::get<secagg::SharingSite>(std::move(state)).Open(shares));
  masking_ = std::make_shared<secagg::MaskingSite>(std::move(masking));
  return std::shared_ptr<const secagg::MaskingSite>(masking_);
}

void SecureSite::Seal(const wire::BlobManifest& vector) {
  CONSILIUM_CHECK(masking_, "nothing is being masked");
  secagg::MaskedSite next = std::move(*masking_).Seal(vector.digest);
  masking_.reset();
  answer_ = AnswerOf(SecureStage::kVector, secagg::Encode(next.head()));
  answer_.vector = vector;
  state_ = std::move(next);
}

}  // namespace consilium::client
