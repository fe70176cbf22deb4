// Mode secure, before a sum that is drawn at random: its sites agree on a beacon (privacy/secagg/beacon.h).
//
//   ready sites -> commit -> reveal -> BeaconAgreed -> the session of exactly these sites
//
// Whoever does not answer ends the attempt, because all have to; the others begin another without it.  Nothing of an
// attempt is durable but its number: after a restart the ready sites begin another, or, if the beacon was agreed on and
// they are the same sites, the session.
#include <algorithm>

#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {

bool JobMachine::NeedsBeacon(const std::vector<SiteName>& cohort) const {
  return wire::NeedsBeacon(state_.plan().secure, cohort.size()) &&
         !(state_.beacon() && state_.beacon()->sites == cohort);
}

void JobMachine::OpenBeacon(const std::vector<SiteName>& cohort) {
  secagg::BeaconTerms terms{.job = state_.opened().job,
                            .round = state_.round(),
                            .attempt = state_.beacons_opened() + 1,
                            .sites = {},
                            .configuration = Sha256Of(state_.opened().job_json),
                            .min_cohort = state_.plan().min_cohort};
  for (const SiteName& site : cohort) terms.sites.push_back({site, secure_.roster.at(site)});
  StatusOr<BeaconDraw> beacon = BeaconDraw::Open(std::move(terms));
  if (!beacon.ok())
    return FinishJob(StatusCode::kFailed,
                     Concat("round ", state_.round(), " cannot be summed in secret: ", beacon.status().message()));
  Commit(BeaconOpened{state_.round(), beacon->number(), cohort});
  beacon_ = *std::move(beacon);
  Note("beacon_opened",
       {{"round", ToInt(state_.round())}, {"beacon", beacon_->number()}, {"sites", NamesJson(cohort)}});
  EnterBeaconStage();
}

// Asks everybody for its commitment, or for its nonce.
void JobMachine::EnterBeaconStage() {
  const Duration patience = state_.plan().deadlines().secure_stage;
  stage_timer_ = Arm(patience);
  stage_until_ = now_ + patience;
  for (const SiteName& site : beacon_->Awaited()) {
    Ask(site);
    if (!connected_.contains(site)) StartAbsence(site);
  }
}

void JobMachine::OnBeaconAnswer(const SiteName& site, const wire::SecureAnswer& answer) {
  // Of an attempt that is over, or said again after a reconnect.
  if (!beacon_ || answer.session != beacon_->number() || beacon_->HasAnswered(site, answer.stage)) return;
  if (const Status taken = beacon_->Take(site, answer); !taken.ok()) {
    Note("secure_answer_refused", {{"site", site.value()},
                                   {"round", ToInt(state_.round())},
                                   {"beacon", beacon_->number()},
                                   {"stage", wire::SecureStageName(answer.stage)},
                                   {"reason", taken.message()}});
    return RecordFailure(site, answer.task, taken.code(), taken.message(),
                         {answer.task, wire::DropReason::kBadUpdate, taken.message()});
  }
  TryClose();
}

void JobMachine::GoOnWithBeacon() {
  if (!beacon_->given_up().empty()) {
    std::string gone;
    for (const SiteName& site : beacon_->given_up()) gone += (gone.empty() ? "" : ", ") + site.value();
    return AbortBeacon(Concat("all who commit have to reveal; gone: ", gone));
  }
  if (!beacon_->Awaited().empty()) return;
  if (beacon_->stage() == wire::SecureStage::kCommit) {
    beacon_->AskForNonces();
    return EnterBeaconStage();
  }
  const secagg::Beacon agreed = beacon_->Agreed();
  Commit(BeaconAgreed{state_.round(), beacon_->number(), agreed.value, secagg::Encode(beacon_->Notice())});
  Note("beacon_agreed", {{"round", ToInt(state_.round())},
                         {"beacon", beacon_->number()},
                         {"sites", agreed.sites.size()},
                         {"value", agreed.value.ToHex()}});
  EndSession();
  OpenSession(agreed.sites);
}

void JobMachine::AbortBeacon(const std::string& why) {
  Note("beacon_aborted", {{"round", ToInt(state_.round())}, {"beacon", beacon_->number()}, {"why", why}});
  const BeaconDraw aborted = *std::move(beacon_);
  EndSession();
  for (const SiteName& site : aborted.given_up()) {
    // Who did not answer has to say that it is ready again.
    ready_.erase(site);
    Tell(site, wire::SecureRequest{state_.KeyFor(site), aborted.number(), wire::SecureStage::kAbort,
                                   Bytes(why.begin(), why.end())});
  }
  ArmDeadline(state_.plan().deadlines().secure_stage);  // for those who are not back by then
  TryClose();
}

// Before the first question of a session that was drawn from it.
void JobMachine::TellBeacon(const SiteName& site) {
  const std::optional<BeaconAgreed>& agreed = state_.beacon_agreed();
  if (!session_ || !session_->HasBeacon() || session_->phase() != SecureSession::Phase::kAdverts || !agreed) return;
  Tell(site, wire::SecureRequest{state_.KeyFor(site), agreed->attempt, wire::SecureStage::kBeacon, agreed->notice});
}

}  // namespace consilium::coordinator
