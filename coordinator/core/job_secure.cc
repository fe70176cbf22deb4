// Mode secure: a round's updates are summed without being seen (privacy/secagg).  Sites train, say that they are ready,
// and are led through a session; what comes of it is folded like any round.
//
//   ready sites -> (many: a beacon, job_beacon.cc) -> session 1 -> (a stage cannot end well: abort, fresh keys) ->
//   session 2 ... -> unmasking -> fold
//
// A session is not durable until its survivors have confirmed; a restarted coordinator begins another with the same
// trained updates.  From then on it is finished from the journal, whatever happens.
#include <algorithm>

#include "coordinator/core/job_machine.h"
#include "privacy/secagg/neighbours.h"
#include "privacy/secagg/thresholds.h"
#include "privacy/secagg/vector.h"

namespace consilium::coordinator {
namespace {

constexpr std::uint32_t kSkippedMax = 3;  // rounds in a row that came to nothing

}  // namespace

// Connected, trained, and not yet summed.
std::vector<SiteName> JobMachine::ReadySites() const {
  std::vector<SiteName> ready;
  for (const SiteName& site : state_.Awaited())
    if (ready_.contains(site) && connected_.contains(site)) ready.push_back(site);
  return ready;
}

void JobMachine::OnAnswer(const SiteName& site, const wire::SecureAnswer& answer) {
  Verdict verdict = JudgeAnswer(state_, site, answer.task);
  if (verdict.counts() && !state_.secure())
    verdict = {wire::DropReason::kUnknownTask, "this job's updates are not summed in secret"};
  // While its vector is being unmasked, a survivor still has to release its shares.
  const bool unmasking = state_.secure() && state_.phase() == Phase::kCollecting && state_.unmasking() &&
                         verdict.reason == wire::DropReason::kDuplicate;
  if (!unmasking && Drop(site, answer.task, wire::SecureStageName(answer.stage), verdict)) return;
  if (answer.stage == wire::SecureStage::kReady) return OnReady(site, answer.task);
  if (wire::IsBeaconStage(answer.stage)) return OnBeaconAnswer(site, answer);
  if (!session_ || answer.session != session_->number() || session_->IsGivenUp(site)) {
    const std::string why = "this exchange is over; another one begins with fresh keys";
    return Tell(site, wire::SecureRequest{answer.task, answer.session, wire::SecureStage::kAbort,
                                          Bytes(why.begin(), why.end())});
  }
  if (session_->HasAnswered(site, answer.stage) || pending_.contains(site)) return;  // said again after a reconnect
  if (answer.stage == wire::SecureStage::kVector && answer.vector) {
    pending_.emplace(site, PendingUpdate{.ready = {answer.task, *answer.vector, 1, {}}, .after = {}, .masked = answer});
    actions_.push_back(CheckUpdate{site, answer.task, *answer.vector});
    return;
  }
  TakeSecure(site, answer);
}

// The site has trained, and knows of no session: it is new, or has lost its keys with its former process.
void JobMachine::OnReady(const SiteName& site, const wire::TaskKey& task) {
  if (beacon_) Ask(site);  // its part in a beacon is remembered; the question may not have reached it
  if (session_ && !session_->IsGivenUp(site)) {
    // Before its advert it had no keys to lose: the question did not reach it.
    if (session_->phase() == SecureSession::Phase::kAdverts && !session_->HasAnswered(site, wire::SecureStage::kKeys))
      return Ask(site);
    const std::vector<SiteName> cohort = session_->cohort();
    if (std::binary_search(cohort.begin(), cohort.end(), site)) session_->GiveUp(site);
  }
  if (state_.unmasking()) return TryClose();
  ready_.insert(site);
  if (ready_after_.try_emplace(site, now_ - phase_since_).second)
    Note("site_ready", {{"site", site.value()},
                        {"round", ToInt(task.round)},
                        {"attempt", ToInt(task.attempt)},
                        {"seconds", Seconds(now_ - phase_since_)}});
  TryClose();
}

void JobMachine::TakeSecure(const SiteName& site, const wire::SecureAnswer& answer) {
  const Status taken = session_->Take(site, answer);
  Json fields = {{"site", site.value()},
                 {"round", ToInt(state_.round())},
                 {"session", session_->number()},
                 {"stage", wire::SecureStageName(answer.stage)}};
  if (!taken.ok()) {
    fields["reason"] = taken.message();
    Note("secure_answer_refused", std::move(fields));
    session_->GiveUp(site);
    if (state_.unmasking()) return TryClose();
    ready_.erase(site);
    return RecordFailure(site, answer.task, taken.code(), taken.message(),
                         {answer.task, wire::DropReason::kBadUpdate, taken.message()});
  }
  if (answer.stage == wire::SecureStage::kRelease)
    Commit(SharesReleased{state_.round(), session_->number(), site, answer.body});
  Note("secure_answer", std::move(fields));
  TryClose();
}

// --- a session begins

void JobMachine::TryCloseSecure() {
  if (session_) return GoOnWithSession();
  if (beacon_) return GoOnWithBeacon();
  const std::vector<SiteName> ready = ReadySites();
  const std::vector<SiteName> awaited = state_.Awaited();
  const std::size_t wanted = std::max<std::size_t>(state_.plan().sites_min, state_.plan().min_cohort);
  if (awaited.size() < wanted)
    return FinishJob(state_.CodeOfFailures(), Concat("round ", state_.round(), " cannot get the ", wanted,
                                                     " updates that its sum needs; failed: ", Describe(GaveUpSites())));
  const bool all_ready = ready.size() == awaited.size();
  if (ready.size() < wanted || (!all_ready && !deadline_over_)) return;
  if (NeedsBeacon(ready)) return OpenBeacon(ready);
  OpenSession(ready);
}

std::vector<SiteName> JobMachine::GaveUpSites() const {
  std::vector<SiteName> sites;
  for (const auto& [site, work] : state_.cohort())
    if (!work.update && state_.GaveUp(work)) sites.push_back(site);
  return sites;
}

private_sum::SiteTerms JobMachine::SiteTermsOf() const {
  return {.spec = state_.plan().site_privacy, .rounds = ToInt(state_.plan().rounds), .elements = secure_.elements};
}

StatusOr<secagg::SessionTerms> JobMachine::TermsFor(const std::vector<SiteName>& cohort, std::uint32_t session) const {
  secagg::SessionTerms terms{.job = state_.opened().job,
                             .round = state_.round(),
                             .attempt = Attempt{session},
                             .cohort = {},
                             .model = state_.model().digest,
                             .configuration = Sha256Of(state_.opened().job_json),
                             .beacon = cohort.size() > secagg::kCompleteMax ? state_.beacon()->value : Digest{},
                             .dimension = secagg::DimensionFor(secure_.elements),
                             .clip = state_.clip(),
                             .corrupt = static_cast<std::uint32_t>(secagg::DefaultCorrupt(cohort.size())),
                             .min_cohort = state_.plan().min_cohort};
  for (const SiteName& site : cohort) terms.cohort.push_back({site, secure_.roster.at(site)});
  if (state_.plan().site_privacy.enabled) RETURN_IF_ERROR(private_sum::CompleteTerms(SiteTermsOf(), &terms).status());
  return terms;
}

void JobMachine::OpenSession(const std::vector<SiteName>& cohort) {
  const std::uint32_t number = state_.sessions_opened() + 1;
  StatusOr<SecureSession> session = [&]() -> StatusOr<SecureSession> {
    ASSIGN_OR_RETURN(secagg::SessionTerms terms, TermsFor(cohort, number));
    return SecureSession::Open(std::move(terms), std::max<std::size_t>(state_.plan().sites_min, 3));
  }();
  if (!session.ok())
    return FinishJob(StatusCode::kFailed,
                     Concat("round ", state_.round(), " cannot be summed in secret: ", session.status().message()));
  Commit(SecureSessionOpened{state_.round(), number, cohort});
  session_ = *std::move(session);
  const secagg::SessionShape& shape = session_->server().shape();
  Note("secure_session", {{"round", ToInt(state_.round())},
                          {"session", number},
                          {"sites", NamesJson(cohort)},
                          {"threshold", shape.threshold},
                          {"survivors_min", shape.survivors_min}});
  EnterStage();
}

// Asks everybody who is awaited in the session's stage.
void JobMachine::EnterStage() {
  const wire::DeadlinePolicy deadlines = state_.plan().deadlines();
  const Duration patience =
      session_->phase() == SecureSession::Phase::kVectors ? deadlines.task : deadlines.secure_stage;
  stage_timer_ = Arm(patience);
  stage_until_ = now_ + patience;
  for (const SiteName& site : session_->Awaited()) {
    Ask(site);
    if (!connected_.contains(site)) StartAbsence(site);
  }
  GoOnWithSession();
}

void JobMachine::Ask(const SiteName& site) {
  const wire::TaskKey task = state_.KeyFor(site);
  if (beacon_)
    if (auto question = beacon_->QuestionFor(site, task)) return Tell(site, *std::move(question));
  if (!session_) return;
  TellBeacon(site);
  if (auto question = session_->QuestionFor(site, task)) Tell(site, *std::move(question));
}

// --- a session goes on, or not

// Who goes away in the middle is given a stage's time to come back, with its keys.
void JobMachine::StartAbsence(const SiteName& site) {
  if (!beacon_ && (!session_ || session_->IsGivenUp(site))) return;
  absences_[Arm(state_.plan().deadlines().secure_stage)] = site;
}

void JobMachine::OnAbsence(const SiteName& site) {
  if (connected_.contains(site)) return;
  if (beacon_) {
    if (beacon_->HasAnswered(site, wire::SecureStage::kReveal)) return;  // nothing more is asked of it
    beacon_->GiveUp(site);
    return TryClose();
  }
  if (!session_) return;
  // Shares that a site has released are remembered there over a restart: they may still come.
  if (state_.unmasking()) return;
  const std::vector<SiteName> awaited = session_->Awaited();
  if (!std::binary_search(awaited.begin(), awaited.end(), site)) return;
  session_->GiveUp(site);
  TryClose();
}

void JobMachine::OnStageTimer() {
  stage_timer_ = 0;
  if (!session_ && !beacon_) return;
  Json slow = Json::array();
  if (beacon_)
    for (const SiteName& site : beacon_->Awaited()) slow.push_back(site.value()), beacon_->GiveUp(site);
  for (const SiteName& site : session_ ? session_->Awaited() : std::vector<SiteName>()) {
    if (pending_.contains(site)) continue;  // it came in time
    if (state_.unmasking() && !connected_.contains(site)) continue;
    slow.push_back(site.value());
    session_->GiveUp(site);
  }
  Note("awaited", {{"round", ToInt(state_.round())},
                   {"sites", std::move(slow)},
                   {"for", wire::SecureStageName(beacon_ ? beacon_->stage() : session_->stage())},
                   {"seconds", Seconds(state_.plan().deadlines().secure_stage)}});
  if (state_.unmasking()) {
    stage_timer_ = Arm(state_.plan().deadlines().reminder);
    stage_until_ = now_ + state_.plan().deadlines().reminder;
  }
  TryClose();
}

void JobMachine::GoOnWithSession() {
  if (const std::string why = session_->WhyHopeless(); !why.empty())
    return state_.unmasking() ? SkipRound(why) : AbortSession(why);
  if (session_->phase() == SecureSession::Phase::kReleases) {
    if (session_->CanUnmask()) CloseSecureRound();
    return;
  }
  if (!session_->Awaited().empty()) return;
  if (const Status closed = session_->ClosePhase(secure_.audit); !closed.ok()) return AbortSession(closed.message());
  if (session_->phase() == SecureSession::Phase::kReleases) {
    UnmaskingBegan began{state_.round(), session_->number(), session_->server().Transcript(), {}};
    for (const SiteName& site : session_->survivors())
      began.vectors[site] = {session_->vectors().at(site), Seconds(ready_after_[site])};
    Commit(std::move(began));
    Note("unmasking", {{"round", ToInt(state_.round())},
                       {"session", session_->number()},
                       {"survivors", NamesJson(session_->survivors())},
                       {"context", session_->server().context().ToHex()}});
  }
  EnterStage();
}

// Nothing was released: the same updates go into another session, with fresh keys.
void JobMachine::AbortSession(const std::string& why) {
  Note("secure_session_aborted", {{"round", ToInt(state_.round())}, {"session", session_->number()}, {"why", why}});
  for (const SiteName& site : session_->cohort()) {
    pending_.erase(site);
    Tell(site, wire::SecureRequest{state_.KeyFor(site), session_->number(), wire::SecureStage::kAbort,
                                   Bytes(why.begin(), why.end())});
    // Who did not answer has to say that it is ready again.
    if (session_->IsGivenUp(site)) ready_.erase(site);
  }
  EndSession();
  ArmDeadline(state_.plan().deadlines().secure_stage);  // for those who are not back by then
  TryClose();
}

void JobMachine::EndSession() {
  beacon_.reset();
  session_.reset();
  absences_.clear();
  stage_timer_ = 0;
}

void JobMachine::ForgetReady() {
  pending_.clear();
  ready_.clear();
  ready_after_.clear();
}

void JobMachine::CloseSecureRound() {
  EndSession();
  RoundClosed closed{state_.round(), {}, {}, CloseReason::kAllAnswered};
  for (const auto& [site, work] : state_.cohort()) {
    (work.update ? closed.contributors : closed.missing).push_back(site);
    if (!work.update) closed.reason = CloseReason::kDeadline;
  }
  std::map<SiteName, wire::TaskKey> tasks;
  for (const auto& [site, work] : state_.cohort()) tasks[site] = state_.KeyFor(site);
  const double seconds = Seconds(now_ - phase_since_);
  ForgetReady();
  Commit(closed);
  for (const SiteName& site : closed.contributors)
    Tell(site, wire::Receipt{tasks.at(site), wire::DropReason::kNone, ""});
  for (const SiteName& site : closed.missing)
    Tell(site, wire::StandDown{tasks.at(site), Concat("round ", state_.round(), " was summed without it")});
  Note("round_closed", {{"round", ToInt(state_.round())},
                        {"contributors", NamesJson(closed.contributors)},
                        {"missing", NamesJson(closed.missing)},
                        {"reason", CloseReasonName(closed.reason)},
                        {"seconds", seconds}});
  EnterPhase();
}

// Some have released their shares, and the others' are lost: a second sum of the same round could be compared with the
// first, so there will be none.
void JobMachine::SkipRound(const std::string& why) {
  EndSession();
  std::map<SiteName, wire::TaskKey> tasks;
  for (const auto& [site, work] : state_.cohort()) tasks[site] = state_.KeyFor(site);
  const Round round = state_.round();
  ForgetReady();
  Commit(RoundSkipped{round, why});
  Note("round_skipped", {{"round", ToInt(round)}, {"why", why}});
  for (const auto& [site, task] : tasks) Tell(site, wire::StandDown{task, Concat("round ", round, " is lost: ", why)});
  if (state_.skipped_in_row() >= kSkippedMax)
    return FinishJob(StatusCode::kFailed, Concat(kSkippedMax, " rounds in a row were lost while their sums were being ",
                                                 "unmasked, the last one because ", why));
  EnterPhase();
}

// Of the round that was folded: what its release has cost, in all, and what it went by.
Json JobMachine::PrivacyOf(const FoldDone& fold) const {
  const private_sum::SiteTerms terms = SiteTermsOf();
  const StatusOr<double> z = private_sum::NoiseMultiplierFor(terms);
  CONSILIUM_CHECK(z.ok(), z.status().ToString());  // a session was opened with it
  // Rounds that were skipped may have been released as well.
  const StatusOr<double> epsilon = private_sum::EpsilonAfter(terms, *z, std::int64_t{ToInt(fold.round)} + 1);
  CONSILIUM_CHECK(epsilon.ok(), epsilon.status().ToString());
  Json json = {{"unit", "site"},
               {"adjacency", "its vector replaced by zeros"},
               {"accountant", "Rényi, Skellam noise"},
               {"epsilon", *epsilon},
               {"epsilon_budget", terms.spec.epsilon},
               {"delta", terms.spec.delta},
               {"noise_multiplier", *z},
               {"clip", state_.clip()}};
  if (fold.share_below) json["share_below"] = *fold.share_below;
  return json;
}

// After a restart: what was being unmasked is taken up from the journal.  Returns why it cannot be, or "".
std::string JobMachine::RestoreSession(const std::vector<SiteName>& lost_vectors) {
  if (!state_.unmasking() || state_.phase() == Phase::kFinished) return "";
  if (!lost_vectors.empty())
    return Concat("the masked vector of ", lost_vectors.front(), " was lost with the coordinator's machine");
  if (state_.phase() != Phase::kCollecting) return "";
  StatusOr<SecureSession> session = SecureSession::Restore(*state_.unmasking(), state_.releases());
  if (!session.ok()) return "its journal cannot be taken up: " + session.status().message();
  session_ = *std::move(session);
  return "";
}

// What is waited for between a round's opening and its closing, of a site that is awaited.
std::string JobMachine::SecureWaitOf(const SiteName& site) const {
  if (beacon_)
    return Concat("its answer '", wire::SecureStageName(beacon_->stage()), "' for beacon ", beacon_->number(),
                  ", from which the sum is drawn");
  if (session_)
    return Concat("its answer '", wire::SecureStageName(session_->stage()), "' in secure sum ", session_->number());
  return ready_.contains(site) ? "the other sites, to begin a secure sum" : "";
}

}  // namespace consilium::coordinator
