// Secure sums: this site's answers to the coordinator's questions, and what is remembered of them.
#include <algorithm>

#include "client/core/passing.h"
#include "client/core/session_machine.h"
#include "comm/wire/deadline_policy.h"

namespace consilium::client {
namespace {

Json SumJson(const wire::TaskKey& task, std::uint32_t session) {
  return {{"job", task.job.value()}, {"round", ToInt(task.round)}, {"session", session}};
}

Status ReleasedBefore(const wire::TaskKey& task) {
  return PermissionDenied("job '", task.job, "': this site has released its shares of round ", task.round,
                          " before, and does so once; a job that is to be repeated needs another name");
}

}  // namespace

// Before any training: what this site would refuse in the end.
std::optional<GaveUp> SessionMachine::WhyNoSum(const wire::Task& task, const wire::JobSpec& job) const {
  const wire::FederationSpec& federation = job.federation;
  if (task.task.kind != wire::TaskKind::kTrain && job.site_privacy.enabled)
    return GaveUp{StatusCode::kPermissionDenied,
                  Concat("the job has privacy.sites: nothing but noisy sums leaves this site, and a task of the kind '",
                         wire::TaskKindName(task.task.kind), "' would tell more")};
  if (task.task.kind != wire::TaskKind::kTrain || !federation.secure.enabled) return std::nullopt;
  if (!options_.secure)
    return GaveUp{StatusCode::kFailedPrecondition,
                  "this site's kit has no signing key and roster, which secure aggregation needs"};
  if (federation.secure.min_cohort < std::int64_t{options_.secure->min_cohort})
    return GaveUp{StatusCode::kPermissionDenied, Concat("the job sums ", federation.secure.min_cohort,
                                                        " sites or more; this site takes part among at "
                                                        "least ",
                                                        options_.secure->min_cohort)};
  if (state_.HasReleased(task.task.job, task.task.round))
    return GaveUp{StatusCode::kPermissionDenied, ReleasedBefore(task.task).message()};
  return std::nullopt;
}

SitePrivacyWork SitePrivacyOf(const wire::JobSpec& job) {
  return {.spec = job.site_privacy, .rounds = job.federation.rounds, .data_set = job.data.dataset};
}

SecureWork SessionMachine::SecureWorkOf(const WorkerFinished& done, const wire::JobSpec& job) const {
  const wire::FederationSpec& federation = job.federation;
  SecureWork work{.model = work_->task.model.digest,
                  .configuration = Sha256Of(work_->task.job_json),
                  .elements = done.elements,
                  .clip = federation.secure.clip,
                  .min_cohort = static_cast<std::uint32_t>(federation.secure.min_cohort),
                  .silence_max = std::chrono::ceil<std::chrono::seconds>(
                      wire::DeadlinePolicy(federation.round_deadline).secure_silence)};
  if (job.site_privacy.enabled) work.privacy = SitePrivacyOf(job);
  const auto most = static_cast<double>(federation.secure.examples_max);
  if (federation.weighting != "equal" && done.weight > 0) work.share = std::min(done.weight, most) / most;
  return work;
}

void SessionMachine::SayAnswer(wire::SecureAnswer answer) {
  deliveries_[answer.task].said = true;
  actions_.push_back(Send{std::move(answer)});
}

void SessionMachine::SayReady(const wire::TaskKey& task) {
  SayAnswer({.task = task, .stage = wire::SecureStage::kReady});
}

// On a new connection, and whenever there is something new to say.
void SessionMachine::DeliverSecure(const Outcome& outcome) {
  const auto& trained = std::get<Trained>(outcome.result);
  if (trained.released)
    return SayAnswer({.task = outcome.task,
                      .session = trained.released->session,
                      .stage = wire::SecureStage::kRelease,
                      .body = trained.released->body});
  const auto sum = sums_.find(outcome.task);
  if (sum == sums_.end()) return SayReady(outcome.task);
  if (sum->second.masking()) return;
  const wire::SecureAnswer& answer = sum->second.answer();
  if (answer.stage != wire::SecureStage::kVector) return SayAnswer(answer);
  Delivery& delivery = deliveries_[outcome.task];
  if (delivery.upload) return;
  delivery.upload = NextTransfer();
  delivery.began = now_;
  actions_.push_back(
      Upload{*delivery.upload, outcome.task, *answer.vector, MaskedFile(outcome.task, sum->second.session())});
}

void SessionMachine::OnMaskedUploaded(const wire::TaskKey& task, const Status& result, std::uint64_t bytes_moved) {
  const auto sum = sums_.find(task);
  if (sum == sums_.end() || sum->second.answer().stage != wire::SecureStage::kVector) return;
  Delivery& delivery = deliveries_[task];
  const auto note = [&](const char* event) {
    NoteTransfer(event, task, *sum->second.answer().vector, delivery.began, bytes_moved, result, &upload_rate_);
  };
  if (IsPassingForUploads(result.code())) {
    note("upload_interrupted");
    if (connected_) delivery.retry_timer = Arm(Backoff(options_.retry_first, options_.retry_max, delivery.tries++));
    return;
  }
  note(result.ok() ? "uploaded" : "upload_refused");
  SayAnswer(sum->second.answer());
}

void SessionMachine::OnMessage(const wire::SecureRequest& question) {
  const Outcome* outcome = state_.Find(question.task);
  const auto* trained = outcome == nullptr ? nullptr : std::get_if<Trained>(&outcome->result);
  if (trained == nullptr || !trained->secure)
    return Note("secure_question_ignored", SumJson(question.task, question.session));
  if (trained->released) {  // nothing but the same shares is ever said again
    const bool same = question.session == trained->released->session;
    if (same && question.stage == wire::SecureStage::kRelease) return DeliverSecure(*outcome);
    // A coordinator that has lost what we released (it was put back to an older state) wants the round again.
    if (question.stage == wire::SecureStage::kKeys || (same && question.stage == wire::SecureStage::kAbort))
      RefuseSum(question.task, question.session, ReleasedBefore(question.task));
    return;
  }
  if (wire::IsBeaconStage(question.stage)) return OnBeaconQuestion(question, *trained->secure);
  const auto found = sums_.find(question.task);
  const bool known = found != sums_.end() && found->second.session() == question.session;
  if (question.stage == wire::SecureStage::kAbort) {
    Json fields = SumJson(question.task, question.session);
    fields["why"] = std::string(AsText(question.body));
    Note("secure_session_over", std::move(fields));
    if (found != sums_.end() && !known) return;  // another one is in hand
    if (known) sums_.erase(found);
    deliveries_.erase(question.task);
    actions_.push_back(Tidy{});
    return SayReady(question.task);
  }
  if (question.stage == wire::SecureStage::kKeys && !known) {
    if (found != sums_.end() && question.session < found->second.session()) return;
    return BeginSum(question, *trained->secure);
  }
  if (!known) {  // its keys went with a former process, or were given up
    if (const auto gone = given_up_.find(question.task); gone != given_up_.end() && gone->second == question.session)
      NoteRefusal(question.task, question.session,
                  FailedPrecondition("the coordinator asks for '", wire::SecureStageName(question.stage),
                                     "' of a session that this site has given up; its keys are wiped"));
    return SayReady(question.task);
  }
  if (!found->second.IsOld(question)) return GoOnWithSum(&found->second, question, *trained);
  DeliverSecure(*outcome);
}

void SessionMachine::BeginSum(const wire::SecureRequest& question, const SecureWork& work) {
  sums_.erase(question.task);
  deliveries_.erase(question.task);
  if (!options_.secure)
    return RefuseSum(question.task, question.session, FailedPrecondition("this site has no signing key"));
  if (state_.HasReleased(question.task.job, question.task.round))
    return RefuseSum(question.task, question.session, ReleasedBefore(question.task));
  StatusOr<SecureSite> sum = SecureSite::Open(*options_.secure, work, question);
  if (!sum.ok()) return RefuseSum(question.task, question.session, sum.status());
  Json fields = SumJson(question.task, question.session);
  fields["sites"] = sum->cohort();
  Note("secure_session", std::move(fields));
  actions_.push_back(Send{sum->answer()});
  sum->GoneOn(now_);
  sums_.emplace(question.task, *std::move(sum));
  given_up_.erase(question.task);
  actions_.push_back(Tidy{});  // the masked file of a session before
}

// The release's name is of all that the vector is a function of, so a sum of the same sites that is begun again is the
// same release: no more than one of such sums can be unmasked (2 t > n + n_c).  With other sites it is another one.
NoisyRelease SessionMachine::ReleaseOf(const wire::TaskKey& task, const SecureSite::Noise& noise,
                                       const Trained& trained) const {
  constexpr std::size_t kHexDigits = 32;  // 128 bits
  ByteWriter writer;
  writer.PutRaw(noise.terms.bytes), writer.PutRaw(trained.update.digest.bytes);
  const SitePrivacyWork& privacy = *trained.secure->privacy;
  return {.job = task.job.value(),
          .data_set = privacy.data_set,
          .release = Concat(task.job, "/", task.round, ".", task.attempt, "/",
                            Sha256Of(writer.bytes()).ToHex().substr(0, kHexDigits)),
          .budget = {.epsilon = privacy.spec.epsilon, .delta = privacy.spec.delta},
          .plan = noise.plan,
          .clip = noise.clip,
          .threads = options_.mask_threads};
}

VectorContent SessionMachine::ContentOf(const wire::TaskKey& task, const SecureSite& sum,
                                        const Trained& trained) const {
  if (sum.noise()) return std::make_shared<const NoisyRelease>(ReleaseOf(task, *sum.noise(), trained));
  secagg::VectorInput input{.elements = trained.secure->elements,
                            .clip = trained.secure->clip,
                            .cohort = sum.cohort(),
                            .weight = trained.secure->share,
                            .metrics = trained.metrics,
                            .noise = RandomSecret(*options_.secure->entropy, 32),
                            .threads = options_.mask_threads};
  return std::make_shared<const secagg::VectorInput>(std::move(input));
}

void SessionMachine::GoOnWithSum(SecureSite* sum, const wire::SecureRequest& question, const Trained& trained) {
  sum->GoneOn(now_);
  if (question.stage == wire::SecureStage::kVector) {
    StatusOr<std::shared_ptr<const secagg::MaskingSite>> masks = sum->OpenShares(question);
    if (!masks.ok()) return RefuseSum(question.task, question.session, masks.status());
    return actions_.push_back(MaskVector{question.task, question.session, UpdateFile(question.task),
                                         MaskedFile(question.task, question.session), *std::move(masks),
                                         ContentOf(question.task, *sum, trained)});
  }
  if (const Status answered = sum->Answer(question); !answered.ok())
    return RefuseSum(question.task, question.session, answered);
  const wire::SecureAnswer answer = sum->answer();
  if (answer.stage == wire::SecureStage::kConfirm) {
    Json fields = SumJson(question.task, question.session);
    fields["survivors"] = Json::array();
    for (const SiteName& site : sum->confirmed()->survivors) fields["survivors"].push_back(site.value());
    fields["entries"] = sum->confirmed()->audit.entries;
    fields["head"] = sum->confirmed()->audit.head.ToHex();
    Note("survivors_confirmed", std::move(fields));
  }
  if (answer.stage == wire::SecureStage::kRelease) {
    state_.Release(question.task, {question.session, answer.body});
    actions_.push_back(Persist{state_});
    Note("shares_released", SumJson(question.task, question.session));
    sums_.erase(question.task);
  }
  SayAnswer(answer);
}

void SessionMachine::On(const VectorMasked& input) {
  const auto found = sums_.find(input.task);
  if (found == sums_.end() || found->second.session() != input.session || !found->second.masking()) return;
  if (input.status.code() == StatusCode::kStorage) return End(Annotate(input.status, "masking an update"));
  if (!input.status.ok()) return RefuseSum(input.task, input.session, input.status);
  found->second.Seal(input.vector);
  if (const Outcome* outcome = state_.Find(input.task)) Deliver(*outcome);
}

// A coordinator that went away, or keeps a site waiting for years, must not find its keys where it left them.  The
// update stays: the next session begins with fresh keys, as after a restart.
void SessionMachine::GiveUpForgottenSums() {
  std::vector<wire::TaskKey> forgotten;
  for (const auto& [task, sum] : sums_)
    if (sum.IsForgotten(now_)) forgotten.push_back(task);
  for (const wire::TaskKey& task : forgotten) {
    const SecureSite& sum = sums_.at(task);
    NoteRefusal(task, sum.session(),
                DeadlineExceeded("the coordinator asked nothing for ", FormatDuration(sum.silence_max()),
                                 ": the session is given up and its keys are wiped"));
    given_up_[task] = sum.session();
    sums_.erase(task);
    deliveries_.erase(task);
    actions_.push_back(Tidy{});
    if (connected_) SayReady(task);
  }
}

void SessionMachine::NoteRefusal(const wire::TaskKey& task, std::uint32_t session, const Status& why) {
  Json fields = SumJson(task, session);
  fields["code"] = StatusCodeName(why.code());
  fields["reason"] = why.message();
  Note("secure_refused", std::move(fields));
}

// The coordinator asked what it may not, or the update cannot be summed: nothing is released, and it is told why.
void SessionMachine::RefuseSum(const wire::TaskKey& task, std::uint32_t session, const Status& why) {
  NoteRefusal(task, session, why);
  sums_.erase(task);
  deliveries_.erase(task);
  const Outcome refused{task, GaveUp{why.code(), "secure aggregation refused: " + why.message()}};
  state_.Add(refused);
  Settle();
  Deliver(refused);
}

}  // namespace consilium::client
