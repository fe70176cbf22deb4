// This site's part in the randomness that draws the graph of a sum of many sites (privacy/secagg/beacon.h).
#include "client/core/session_machine.h"

namespace consilium::client {

using wire::SecureStage;

void SessionMachine::OnBeaconQuestion(const wire::SecureRequest& question, const SecureWork& work) {
  Json fields = {{"job", question.task.job.value()},
                 {"round", ToInt(question.task.round)},
                 {"beacon", question.session},
                 {"stage", wire::SecureStageName(question.stage)}};
  // What an attempt before asked, and the connection kept for long.
  const std::optional<secagg::BeaconPart> part = state_.BeaconPartOf(question.task.job);
  if (part && part->round == question.task.round && question.session < part->attempt)
    return Note("secure_question_ignored", std::move(fields));
  StatusOr<Bytes> answer = options_.secure ? AnswerBeacon(question, work)
                                           : StatusOr<Bytes>(FailedPrecondition("this site has no signing key"));
  // Nothing to answer, and nothing that ends the task: the site has no part in this attempt, or another one under its
  // number, as when a coordinator was put back to an older state.  It will begin the next.
  if (answer.status().code() == StatusCode::kFailedPrecondition)
    return NoteRefusal(question.task, question.session, answer.status());
  if (!answer.ok()) return RefuseSum(question.task, question.session, answer.status());
  Note("beacon", std::move(fields));
  if (question.stage == SecureStage::kBeacon) return;
  SayAnswer({.task = question.task, .session = question.session, .stage = question.stage, .body = *std::move(answer)});
}

StatusOr<Bytes> SessionMachine::AnswerBeacon(const wire::SecureRequest& question, const SecureWork& work) {
  const SecureParty& party = *options_.secure;
  ASSIGN_OR_RETURN(const secagg::BeaconNotice notice, secagg::DecodeBeaconNotice(question.body));
  secagg::BeaconTerms terms{.job = question.task.job,
                            .round = question.task.round,
                            .attempt = question.session,
                            .sites = {},
                            .configuration = work.configuration,
                            .min_cohort = std::max(work.min_cohort, party.min_cohort)};
  ASSIGN_OR_RETURN(terms.sites, MembersOf(party, notice.sites));
  return AnswerBeaconStage(question.stage, terms, notice, question.task);
}

// What is to be remembered is persisted before what follows from it is said.
StatusOr<Bytes> SessionMachine::AnswerBeaconStage(SecureStage stage, const secagg::BeaconTerms& terms,
                                                  const secagg::BeaconNotice& notice, const wire::TaskKey& task) {
  const SecureParty& party = *options_.secure;
  const std::optional<secagg::BeaconPart> before = state_.BeaconPartOf(task.job);
  const auto remember = [&](const secagg::BeaconPart& part) {
    if (before == part) return;
    state_.SetBeaconPart(task.job, part);
    actions_.push_back(Persist{state_});
  };
  if (stage == SecureStage::kCommit) {
    ASSIGN_OR_RETURN(const secagg::BeaconPart part, secagg::BeginBeacon(terms, party.name, before, *party.entropy));
    remember(part);
    return secagg::Encode(secagg::CommitTo(part.context, party.name, part.nonce, party.signing));
  }
  const secagg::BeaconPart known = before.value_or(secagg::BeaconPart{});
  if (stage == SecureStage::kReveal) {
    ASSIGN_OR_RETURN(const secagg::BeaconPart part, secagg::RevealNonce(terms, party.name, known, notice.commitments));
    remember(part);
    return secagg::Encode(part.nonce);
  }
  ASSIGN_OR_RETURN(secagg::Beacon beacon, secagg::FinishBeacon(terms, known, notice.commitments, notice.nonces));
  const auto& work = std::get<Trained>(state_.Find(task)->result).secure;
  if (work->beacon != beacon) {
    state_.SetBeacon(task, std::move(beacon));
    actions_.push_back(Persist{state_});
  }
  return Bytes{};
}

}  // namespace consilium::client
