#include "client/core/session_machine.h"

#include <algorithm>

namespace consilium::client {
namespace {

constexpr std::size_t kMetricsMax = 256;  // that a message may carry

// A fault that another try will not mend: certificates, policy, versions.
bool NeedsAPerson(StatusCode code) {
  return code == StatusCode::kUnauthenticated || code == StatusCode::kPermissionDenied ||
         code == StatusCode::kFailedPrecondition || code == StatusCode::kInvalidArgument;
}

// Exit code 7 tells a launcher not to try again.
Status AsRefusal(const Status& reason) {
  return reason.code() == StatusCode::kFailedPrecondition ? PermissionDenied(reason.message()) : reason;
}

}  // namespace

std::vector<Action> SessionMachine::Step(const Input& input, Instant now) {
  now_ = now;
  actions_.clear();
  if (!ended_) std::visit([this](const auto& alternative) { On(alternative); }, input);
  return std::move(actions_);
}

void SessionMachine::On(const Started&) {
  actions_.push_back(Tidy{});
  beat_timer_ = Arm(heartbeat_interval_);
  actions_.push_back(Dial{});
}

void SessionMachine::On(const ConnectionLost& input) {
  connected_ = false;
  deliveries_.clear();
  if (work_) work_->fetch.reset();
  if (NeedsAPerson(input.reason.code())) return End(AsRefusal(input.reason));
  const Duration pause = Backoff(options_.redial_first, options_.redial_max, dials_++);
  const double spread = 0.5 + 0.5 * std::clamp(input.jitter, 0.0, 1.0);
  dial_timer_ = Arm(std::chrono::duration_cast<Duration>(pause * spread));
  Note("connection_lost", {{"reason", input.reason.message()}, {"next_try", FormatDuration(pause)}});
}

void SessionMachine::On(const TimerFired& input) {
  if (input.id == dial_timer_) {
    actions_.push_back(Dial{});
  } else if (input.id == beat_timer_) {
    CheckStuck();
    GiveUpForgottenSums();
    Beat();
    beat_timer_ = Arm(heartbeat_interval_);
  } else if (work_ && input.id == work_->retry_timer) {
    ResumeWork();
  } else {
    for (auto& [task, delivery] : deliveries_)
      if (input.id == delivery.retry_timer)
        if (const Outcome* outcome = state_.Find(task)) return Deliver(*outcome);
  }
}

void SessionMachine::On(const FromCoordinator& input) {
  std::visit([this](const auto& message) { OnMessage(message); }, input.message);
}

void SessionMachine::OnMessage(const wire::Welcome& welcome) {
  connected_ = true;
  dials_ = 0;
  dial_timer_ = 0;
  deliveries_.clear();
  const std::uint32_t interval_ms = std::clamp<std::uint32_t>(welcome.heartbeat_interval_ms, 100, 60000);
  heartbeat_interval_ = std::chrono::milliseconds(interval_ms);
  Note("connected", {{"coordinator", welcome.coordinator}});
  Beat();
  beat_timer_ = Arm(heartbeat_interval_);
  if (work_ && work_->stage == Stage::kFetching && !work_->fetch) StartFetch();
  DeliverAll();
}

void SessionMachine::OnMessage(const wire::Refusal& refusal) {
  const std::string text = "the coordinator refused this site: " + refusal.message;
  if (refusal.code == StatusCode::kUnavailable) return Note("refused", {{"message", refusal.message}});
  End(refusal.code == StatusCode::kUnauthenticated ? Unauthenticated(text) : PermissionDenied(text));
}

void SessionMachine::OnMessage(const wire::JobEnded& ended) {
  Note("job_ended", {{"job", ended.job.value()}, {"code", StatusCodeName(ended.code)}, {"message", ended.message}});
  std::erase_if(queue_, [&](const wire::Task& task) { return task.task.job == ended.job; });
  if (work_ && work_->task.task.job == ended.job) CancelWork("the job is over");
  for (const Outcome& outcome : state_.outcomes())
    if (outcome.task.job == ended.job) deliveries_.erase(outcome.task);
  state_.ForgetJob(ended.job);
  Settle();
  const bool other_jobs = !queue_.empty() || !state_.outcomes().empty() || (work_ && work_->task.task.job != ended.job);
  if (options_.when_done == SessionOptions::WhenDone::kExit && !other_jobs)
    End(ended.code == StatusCode::kOk ? Status() : Status(ended.code, "the job failed: " + ended.message));
}

void SessionMachine::On(const TransferDone& input) {
  if (work_ && work_->fetch == input.transfer) {
    work_->fetch.reset();
    return OnFetched(input.result, input.bytes_moved);
  }
  for (auto& [task, delivery] : deliveries_) {
    if (delivery.upload != input.transfer) continue;
    delivery.upload.reset();
    const wire::TaskKey key = task;
    return OnUploaded(key, input.result, input.bytes_moved);
  }
  // Of a connection that is gone, or of work that was cancelled.
  if (input.bytes_moved > 0)
    Note("transfer_cut", {{"bytes_moved", input.bytes_moved}, {"reason", input.result.message()}});
}

void SessionMachine::Beat() {
  if (connected_) actions_.push_back(Send{CurrentBeat()});
}

wire::Heartbeat SessionMachine::CurrentBeat() const {
  wire::Heartbeat beat;
  if (work_) {
    const bool train = work_->task.task.kind == wire::TaskKind::kTrain;
    const bool begins = work_->stage == Stage::kAsking || work_->stage == Stage::kFetching;
    beat.phase = begins  ? wire::SitePhase::kFetching
                 : train ? wire::SitePhase::kTraining
                         : wire::SitePhase::kEvaluating;
    beat.task = work_->task.task;
    beat.progress = work_->progress;
    // What a site measures while it trains goes into the sum with its update, and nowhere else.
    if (!train || !work_->job.federation.secure.enabled) beat.metrics = work_->metrics;
    beat.trouble = work_->trouble;
    const bool died = work_->tries > 0 && (work_->stage == Stage::kPausing || work_->stage == Stage::kRunning);
    if (died && beat.metrics.size() < kMetricsMax) beat.metrics["trainer_deaths"] = work_->tries;
  } else if (!state_.outcomes().empty()) {
    beat.phase = wire::SitePhase::kUploading;
    beat.task = state_.outcomes().back().task;
    beat.progress = 1;
  }
  for (const wire::Task& task : queue_) beat.waiting.push_back(task.task);
  beat.download_bytes_per_second = download_rate_;
  beat.upload_bytes_per_second = upload_rate_;
  return beat;
}

std::set<std::string> SessionMachine::LiveFiles() const {
  std::set<std::string> files = state_.Files();
  if (work_) files.merge(std::set<std::string>{UpdateFile(work_->task.task), StateFile(work_->task.task)});
  for (const auto& [task, sum] : sums_) files.insert(MaskedFile(task, sum.session()));
  return files;
}

std::set<Digest> SessionMachine::LiveBlobs() const {
  std::set<Digest> blobs;
  const auto keep = [&](const wire::Task& task) {
    for (const wire::BlobManifest& blob : BlobsOf(task)) blobs.insert(blob.digest);
  };
  if (work_) keep(work_->task);
  for (const wire::Task& task : queue_) keep(task);
  return blobs;
}

void SessionMachine::NoteTransfer(const char* event, const wire::TaskKey& task, const wire::BlobManifest& blob,
                                  Instant began, std::uint64_t bytes_moved, const Status& result, double* rate) {
  const double seconds = Seconds(now_ - began);
  if (seconds > 0 && bytes_moved > 0) *rate = static_cast<double>(bytes_moved) / seconds;
  Note(event, {{"job", task.job.value()},
               {"task", wire::TaskKindName(task.kind)},
               {"round", ToInt(task.round)},
               {"bytes", blob.bytes},
               {"bytes_moved", bytes_moved},
               {"seconds", seconds},
               {"reason", result.ok() ? Json(nullptr) : Json(result.message())}});
}

std::uint64_t SessionMachine::Arm(Duration after) {
  actions_.push_back(SetTimer{++timers_, after});
  return timers_;
}

// first * 2^tries, at most `max`.
Duration SessionMachine::Backoff(Duration first, Duration max, std::uint32_t tries) const {
  return std::min(max, first * (std::int64_t{1} << std::min(tries, 16u)));
}

void SessionMachine::Note(std::string event, Json fields) {
  actions_.push_back(Report{std::move(event), std::move(fields)});
}

void SessionMachine::End(Status status) {
  ended_ = true;
  actions_.push_back(HangUp{});
  actions_.push_back(Finish{std::move(status)});
}

}  // namespace consilium::client
