#include "coordinator/core/beacon_draw.h"

#include <algorithm>

namespace consilium::coordinator {

using wire::SecureStage;

StatusOr<BeaconDraw> BeaconDraw::Open(secagg::BeaconTerms terms) {
  RETURN_IF_ERROR(secagg::CheckBeaconTerms(terms));
  return BeaconDraw(std::move(terms));
}

std::vector<SiteName> BeaconDraw::sites() const {
  std::vector<SiteName> names;
  for (const secagg::Member& member : terms_.sites) names.push_back(member.name);
  return names;
}

const secagg::Member* BeaconDraw::MemberOf(const SiteName& site) const {
  const auto found = std::ranges::lower_bound(terms_.sites, site, {}, &secagg::Member::name);
  return found == terms_.sites.end() || found->name != site ? nullptr : &*found;
}

Status BeaconDraw::Take(const SiteName& site, const wire::SecureAnswer& answer) {
  const secagg::Member* member = MemberOf(site);
  if (member == nullptr || given_up_.contains(site))
    return FailedPrecondition("beacon ", number(), " is made without ", site);
  if (answer.stage != stage() || HasAnswered(site, answer.stage))
    return FailedPrecondition("beacon ", number(), " asks for '", wire::SecureStageName(stage()), "', not '",
                              wire::SecureStageName(answer.stage), "'");
  if (answer.stage == SecureStage::kCommit) {
    ASSIGN_OR_RETURN(const secagg::BeaconCommitment commitment, secagg::DecodeBeaconCommitment(answer.body));
    RETURN_IF_ERROR(secagg::CheckCommitment(context_, *member, commitment));
    commitments_.emplace(site, commitment);
    return Status();
  }
  ASSIGN_OR_RETURN(const secagg::BeaconNonce nonce, secagg::DecodeBeaconNonce(answer.body));
  RETURN_IF_ERROR(secagg::CheckNonce(context_, site, commitments_.at(site), nonce));
  nonces_.emplace(site, nonce);
  return Status();
}

bool BeaconDraw::HasAnswered(const SiteName& site, SecureStage asked) const {
  return asked == SecureStage::kCommit ? commitments_.contains(site) : nonces_.contains(site);
}

void BeaconDraw::GiveUp(const SiteName& site) {
  if (MemberOf(site) != nullptr) given_up_.insert(site);
}

std::vector<SiteName> BeaconDraw::Awaited() const {
  std::vector<SiteName> awaited;
  for (const secagg::Member& member : terms_.sites)
    if (!HasAnswered(member.name, stage()) && !given_up_.contains(member.name)) awaited.push_back(member.name);
  return awaited;
}

std::optional<wire::SecureRequest> BeaconDraw::QuestionFor(const SiteName& site, const wire::TaskKey& task) const {
  if (MemberOf(site) == nullptr || given_up_.contains(site) || HasAnswered(site, stage())) return std::nullopt;
  secagg::BeaconNotice notice = Notice();
  if (stage() == SecureStage::kCommit) notice.commitments.clear();
  notice.nonces.clear();
  return wire::SecureRequest{.task = task, .session = number(), .stage = stage(), .body = secagg::Encode(notice)};
}

secagg::BeaconNotice BeaconDraw::Notice() const {
  secagg::BeaconNotice notice{sites(), {}, {}};
  for (const auto& [site, commitment] : commitments_) notice.commitments.push_back(commitment);
  for (const auto& [site, nonce] : nonces_) notice.nonces.push_back(nonce);
  return notice;
}

secagg::Beacon BeaconDraw::Agreed() const {
  const secagg::BeaconNotice notice = Notice();
  return secagg::BeaconOf(terms_, notice.commitments, notice.nonces).value();  // each was checked as it came
}

}  // namespace consilium::coordinator
