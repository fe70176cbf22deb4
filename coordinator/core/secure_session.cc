#include "coordinator/core/secure_session.h"

#include <algorithm>

#include "privacy/secagg/message_lists.h"

namespace consilium::coordinator {

using secagg::Place;
using wire::SecureStage;

StatusOr<SecureSession> SecureSession::Open(secagg::SessionTerms terms, std::size_t survivors_wanted) {
  ASSIGN_OR_RETURN(secagg::ServerSession server, secagg::ServerSession::Create(std::move(terms)));
  return SecureSession(std::move(server), survivors_wanted);
}

StatusOr<SecureSession> SecureSession::Restore(const UnmaskingBegan& began, const std::map<SiteName, Bytes>& releases) {
  ASSIGN_OR_RETURN(secagg::ServerSession server, secagg::ServerSession::FromTranscript(began.transcript));
  SecureSession session(std::move(server), 0);
  for (const auto& [site, masked] : began.vectors) session.vectors_[site] = masked.vector;
  if (session.number() != began.session) return DataLoss("the transcript is of session ", session.number());
  for (const auto& [site, bytes] : releases) {
    ASSIGN_OR_RETURN(const secagg::ShareRelease release, secagg::DecodeShareRelease(bytes));
    RETURN_IF_ERROR(Annotate(session.server_.AddRelease(release), "the journal's shares of ", site));
  }
  return session;
}

SecureStage SecureSession::stage() const {
  switch (phase()) {
    case Phase::kAdverts:
      return SecureStage::kKeys;
    case Phase::kShares:
      return SecureStage::kShares;
    case Phase::kVectors:
      return SecureStage::kVector;
    case Phase::kConfirmations:
      return SecureStage::kConfirm;
    case Phase::kReleases:
    case Phase::kDone:
      break;
  }
  return SecureStage::kRelease;
}

std::optional<Place> SecureSession::PlaceOf(const SiteName& site) const {
  const std::vector<secagg::Member>& cohort = server_.terms().cohort;
  const auto found = std::ranges::lower_bound(cohort, site, {}, &secagg::Member::name);
  if (found == cohort.end() || found->name != site) return std::nullopt;
  return static_cast<Place>(found - cohort.begin());
}

std::vector<SiteName> SecureSession::cohort() const {
  std::vector<SiteName> names;
  for (const secagg::Member& member : server_.terms().cohort) names.push_back(member.name);
  return names;
}

std::vector<SiteName> SecureSession::survivors() const {
  std::vector<SiteName> names;
  for (const Place place : server_.survivors()) names.push_back(NameOf(place));
  return names;
}

bool SecureSession::HasAnswered(const SiteName& site, SecureStage asked) const {
  if (asked != stage()) return asked < stage();
  const std::optional<Place> place = PlaceOf(site);
  const secagg::Places awaited = server_.Awaited();
  return place && !std::binary_search(awaited.begin(), awaited.end(), *place);
}

Status SecureSession::Take(const SiteName& site, const wire::SecureAnswer& answer) {
  const std::optional<Place> place = PlaceOf(site);
  if (!place) return FailedPrecondition(site, " is not in session ", number());
  if (given_up_.contains(site)) return FailedPrecondition("session ", number(), " goes on without ", site);
  if (answer.stage != stage())
    return FailedPrecondition("session ", number(), " asks for '", wire::SecureStageName(stage()), "', not '",
                              wire::SecureStageName(answer.stage), "'");
  // Who sent it is known from its certificate, and has to be who it says it is inside.
  const auto is_its_own = [&](Place said) {
    return said == *place ? Status() : Unauthenticated(site, " answered for place ", said);
  };
  switch (answer.stage) {
    case SecureStage::kKeys: {
      ASSIGN_OR_RETURN(const secagg::Advert advert, secagg::DecodeAdvert(answer.body));
      RETURN_IF_ERROR(is_its_own(advert.place));
      return server_.AddAdvert(advert);
    }
    case SecureStage::kShares: {
      ASSIGN_OR_RETURN(std::vector<secagg::SealedShares> shares, secagg::DecodeShares(answer.body));
      return server_.AddShares(*place, std::move(shares));
    }
    case SecureStage::kVector: {
      ASSIGN_OR_RETURN(const secagg::MaskedHead head, secagg::DecodeMaskedHead(answer.body));
      RETURN_IF_ERROR(is_its_own(head.place));
      if (!answer.vector || answer.vector->digest != head.vector ||
          answer.vector->bytes != server_.terms().dimension * sizeof(std::uint32_t))
        return DataLoss("the masked vector that ", site, " uploaded is not the one that it signed");
      RETURN_IF_ERROR(server_.AddVector(head));
      vectors_[site] = *answer.vector;
      return Status();
    }
    case SecureStage::kConfirm: {
      ASSIGN_OR_RETURN(const secagg::Confirmation confirmation, secagg::DecodeConfirmation(answer.body));
      RETURN_IF_ERROR(is_its_own(confirmation.place));
      return server_.AddConfirmation(confirmation);
    }
    case SecureStage::kRelease: {
      ASSIGN_OR_RETURN(const secagg::ShareRelease release, secagg::DecodeShareRelease(answer.body));
      RETURN_IF_ERROR(is_its_own(release.from));
      return server_.AddRelease(release);
    }
    case SecureStage::kReady:
    case SecureStage::kAbort:
    case SecureStage::kCommit:
    case SecureStage::kReveal:
    case SecureStage::kBeacon:
      break;
  }
  return FailedPrecondition("'", wire::SecureStageName(answer.stage), "' answers no question");
}

std::vector<SiteName> SecureSession::Awaited() const {
  std::vector<SiteName> awaited;
  for (const Place place : server_.Awaited())
    if (!given_up_.contains(NameOf(place))) awaited.push_back(NameOf(place));
  return awaited;
}

std::optional<wire::SecureRequest> SecureSession::QuestionFor(const SiteName& site, const wire::TaskKey& task) const {
  const std::vector<SiteName> awaited = Awaited();
  if (!std::binary_search(awaited.begin(), awaited.end(), site)) return std::nullopt;
  const Place place = *PlaceOf(site);
  wire::SecureRequest question{.task = task, .session = number(), .stage = stage(), .body = {}};
  switch (phase()) {
    case Phase::kAdverts:
      question.body = server_.terms().privacy == Digest{}
                          ? secagg::EncodeNames(cohort())
                          : secagg::Encode(secagg::NoisyOpening{cohort(), server_.terms().clip});
      break;
    case Phase::kShares:
      question.body = secagg::EncodeAdverts(server_.AdvertsFor(place));
      break;
    case Phase::kVectors:
      question.body = secagg::EncodeShares(server_.SharesFor(place));
      break;
    case Phase::kConfirmations:
      question.body = secagg::Encode(secagg::SurvivorList{server_.survivors(), server_.audit()});
      break;
    case Phase::kReleases:
      question.body = secagg::EncodeConfirmations(server_.ConfirmationsFor(place));
      break;
    case Phase::kDone:
      return std::nullopt;
  }
  return question;
}

// How many answers the phase needs.
std::size_t SecureSession::Needed() const {
  const secagg::SessionShape& shape = server_.shape();
  if (phase() == Phase::kReleases || (phase() == Phase::kConfirmations && shape.complete)) return shape.threshold;
  if (phase() == Phase::kConfirmations) return shape.survivors_min;
  return std::max(shape.survivors_min, survivors_wanted_);
}

std::string SecureSession::WhyHopeless() const {
  if (phase() == Phase::kDone || CanUnmask()) return "";
  std::string gone;
  for (const Place place : server_.Awaited())
    if (given_up_.contains(NameOf(place))) gone += (gone.empty() ? "" : ", ") + NameOf(place).value();
  const std::size_t awaited = Awaited().size(), left = server_.Answered() + awaited;
  // On a graph every secret needs its own neighbours.
  if (phase() == Phase::kReleases && awaited == 0 && left >= Needed())
    return Concat("some site's neighbours released too few shares", gone.empty() ? "" : "; gone: " + gone);
  if (left >= Needed()) return "";
  return Concat("only ", left, " sites are left for the stage '", wire::SecureStageName(stage()), "', ", Needed(),
                " are needed", gone.empty() ? "" : "; gone: " + gone);
}

Status SecureSession::ClosePhase(const secagg::AuditPoint& audit) {
  switch (phase()) {
    case Phase::kAdverts:
      return server_.CloseAdverts();
    case Phase::kShares:
      return server_.CloseShares();
    case Phase::kVectors:
      if (vectors_.size() < survivors_wanted_)
        return FailedPrecondition("only ", vectors_.size(), " sites sent their vectors; ", survivors_wanted_,
                                  " are wanted");
      return server_.CloseVectors(audit);
    case Phase::kConfirmations:
      return server_.CloseConfirmations();
    case Phase::kReleases:
    case Phase::kDone:
      break;
  }
  return Status();
}

}  // namespace consilium::coordinator
