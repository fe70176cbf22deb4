// The task in hand: fetch the model, run it in the trainer.
#include <algorithm>

#include "client/core/passing.h"
#include "client/core/session_machine.h"
#include "comm/wire/deadline_policy.h"
#include "comm/wire/job.h"

namespace consilium::client {
namespace {

Json TaskJson(const wire::TaskKey& task) {
  return {{"job", task.job.value()},
          {"task", wire::TaskKindName(task.kind)},
          {"round", ToInt(task.round)},
          {"attempt", ToInt(task.attempt)}};
}

// Of a job that this build cannot read, the default's.
wire::JobSpec JobOf(const std::string& job_json) {
  const StatusOr<ConfigNode> root = ConfigNode::Parse(job_json, "job");
  const StatusOr<wire::JobSpec> job = root.ok() ? wire::ParseJob(*root) : StatusOr<wire::JobSpec>(root.status());
  return job.ok() ? *job : wire::JobSpec();
}

// What of a message travels and is kept; the wire refuses texts beyond 64 KiB.
std::string Shortened(const std::string& message) {
  constexpr std::size_t kBytesMax = 8192;
  return message.size() <= kBytesMax ? message : message.substr(0, kBytesMax) + " ...";
}

}  // namespace

void SessionMachine::OnMessage(const wire::Task& task) {
  // A job's name becomes a folder here, and it comes from a peer.
  if (!IsValidName(task.task.job.value())) {
    Note("task_refused", {{"why", "the job's name is not a name"}});
    actions_.push_back(Send{wire::TaskFailed{task.task, StatusCode::kInvalidArgument,
                                             "the job's name is not 1 to 63 lower-case letters, digits and '-'"}});
    return;
  }
  if (const Outcome* outcome = state_.Find(task.task)) {  // done before: deliver, do not do it again
    const Delivery& delivery = deliveries_[task.task];
    if (!delivery.upload && !delivery.said) Deliver(*outcome);
    return;
  }
  if (Working(task.task) && work_->stage != Stage::kCancelling) return;
  if (!work_) return Take(task);
  Queue(task);
  // A job has one task for a site at a time: the newer one is the one that counts.
  if (work_->task.task.job == task.task.job) CancelWork("another task takes its place");
}

// In the place of an older task of the same job, else at the end: no job waits for two tasks of another.
void SessionMachine::Queue(const wire::Task& task) {
  for (wire::Task& queued : queue_)
    if (queued.task.job == task.task.job) {
      queued = task;
      return;
    }
  queue_.push_back(task);
}

void SessionMachine::Take(const wire::Task& task) {
  wire::JobSpec job = JobOf(task.job_json);
  work_ = Work{.task = task,
               .last_sign = now_,
               .silence_max = wire::DeadlinePolicy(job.federation.round_deadline).trainer_silence,
               .lineage = job.federation.mode == wire::RoundMode::kAsync ? Lineage::kTasks : Lineage::kRounds,
               .job = std::move(job)};
  Note("task", TaskJson(task.task));
  if (std::optional<GaveUp> why = WhyNoSum(task, work_->job)) {
    NoteRefusal(task.task, 0, Status(why->code, why->message));
    return EndWork(Outcome{task.task, *std::move(why)});
  }
  actions_.push_back(Tidy{});
  Ask();
}

void SessionMachine::Ask() {
  if (options_.consent == SessionOptions::Consent::kAsk)
    return actions_.push_back(AskSite{work_->task.task, work_->task.job_json});
  work_->stage = Stage::kFetching;
  StartFetch();
}

void SessionMachine::On(const SiteAnswer& input) {
  if (!Working(input.task) || work_->stage != Stage::kAsking) return;
  switch (input.kind) {
    case SiteAnswer::Kind::kYes:
      work_->trouble.clear();
      work_->stage = Stage::kFetching;
      return StartFetch();
    case SiteAnswer::Kind::kNo: {
      Json fields = TaskJson(input.task);
      fields["message"] = input.message;
      Note("task_refused", std::move(fields));
      return EndWork(Outcome{input.task, GaveUp{StatusCode::kPermissionDenied, Shortened(input.message)}});
    }
    case SiteAnswer::Kind::kNotYet:
      if (work_->trouble.empty()) {
        Json fields = TaskJson(input.task);
        fields["why"] = input.message;
        Note("task_waits", std::move(fields));
      }
      work_->trouble = Shortened(input.message);
      work_->retry_timer = Arm(options_.ask_again);
      return Beat();
  }
}

// A task that waits for a person does not hold up the other jobs' for longer than one look.
void SessionMachine::GiveWay() {
  wire::Task waiting = std::move(work_->task);
  const wire::Task next = std::move(queue_.front());
  queue_.pop_front();
  queue_.push_back(std::move(waiting));
  work_.reset();
  Take(next);
}

// The model, unless the task needs none, and what the strategy's method needs beside it.
std::vector<wire::BlobManifest> SessionMachine::BlobsOf(const wire::Task& task) const {
  std::vector<wire::BlobManifest> blobs;
  if (task.model.bytes > 0) blobs.push_back(task.model);
  if (task.auxiliary) blobs.push_back(*task.auxiliary);
  return blobs;
}

// While the connection is down the next Welcome does it.
void SessionMachine::StartFetch() {
  const std::vector<wire::BlobManifest> blobs = BlobsOf(work_->task);
  if (work_->fetched == blobs.size()) return StartRun();
  if (!connected_) return;
  work_->fetch = NextTransfer();
  work_->fetch_began = now_;
  actions_.push_back(Fetch{*work_->fetch, work_->task.task, blobs[work_->fetched]});
}

void SessionMachine::OnFetched(const Status& result, std::uint64_t bytes_moved) {
  NoteTransfer(result.ok() ? "fetched" : "fetch_interrupted", work_->task.task, BlobsOf(work_->task)[work_->fetched],
               work_->fetch_began, bytes_moved, result, &download_rate_);
  if (result.ok()) {
    work_->tries = 0;
    work_->trouble.clear();
    ++work_->fetched;
    return StartFetch();
  }
  if (result.code() == StatusCode::kStorage) return End(Annotate(result, "fetching the model"));
  if (!IsConnectionTrouble(result.code()))
    return EndWork(
        Outcome{work_->task.task, GaveUp{result.code(), Shortened("fetching the model: " + result.message())}});
  work_->trouble = Shortened("fetching the model: " + result.message());
  work_->retry_timer = Arm(Backoff(options_.retry_first, options_.retry_max, work_->tries++));
}

// After a pause.
void SessionMachine::ResumeWork() {
  if (work_->stage == Stage::kAsking) return queue_.empty() ? Ask() : GiveWay();
  if (work_->stage == Stage::kFetching && !work_->fetch) return StartFetch();
  if (work_->stage == Stage::kPausing) StartRun();
}

void SessionMachine::StartRun() {
  work_->stage = Stage::kRunning;
  work_->last_sign = now_;
  const wire::TaskKey& task = work_->task.task;
  std::optional<Digest> auxiliary;
  if (work_->task.auxiliary) auxiliary = work_->task.auxiliary->digest;
  RunTask run{task, work_->task.job_json, work_->task.model.digest, state_.StateBefore(task, work_->lineage),
              auxiliary};
  if (work_->job.site_privacy.enabled) run.privacy = SitePrivacyOf(work_->job);
  actions_.push_back(std::move(run));
  Beat();
}

void SessionMachine::On(const WorkerProgressed& input) {
  if (!Working(input.task)) return;
  work_->progress = std::clamp(input.progress, 0.0, 1.0);
  work_->metrics = input.metrics;
  work_->last_sign = now_;
}

void SessionMachine::On(const WorkerFinished& input) {
  if (!Working(input.task)) return;
  Json fields = TaskJson(input.task);
  fields["seconds"] = input.metrics.contains("seconds") ? Json(input.metrics.at("seconds")) : Json(nullptr);
  Note("task_done", std::move(fields));
  if (work_->stage == Stage::kCancelling) return EndWork(std::nullopt);
  if (!wire::HasUpload(input.task.kind)) return EndWork(Outcome{input.task, Evaluated{input.metrics}});
  Trained trained{input.update, input.weight, input.metrics};
  if (input.task.kind == wire::TaskKind::kTrain && work_->job.federation.secure.enabled)
    trained.secure = SecureWorkOf(input, work_->job);
  EndWork(Outcome{input.task, std::move(trained)});
}

void SessionMachine::On(const WorkerRefused& input) {
  if (!Working(input.task)) return;
  if (work_->stage == Stage::kCancelling) return EndWork(std::nullopt);
  if (input.code == StatusCode::kStorage) return AwaitSpace(input.message);
  if (input.code == StatusCode::kCancelled) return On(WorkerDied{input.task, "it stopped unasked: " + input.message});
  Json fields = TaskJson(input.task);
  fields["message"] = input.message;
  Note("task_failed", std::move(fields));
  const StatusCode code = input.code == StatusCode::kOk ? StatusCode::kFailed : input.code;
  EndWork(Outcome{input.task, GaveUp{code, Shortened(input.message)}});
}

void SessionMachine::On(const WorkerDied& input) {
  if (!Working(input.task)) return;
  if (work_->stage == Stage::kCancelling) return EndWork(std::nullopt);
  Json fields = TaskJson(input.task);
  fields["how"] = input.how;
  fields["deaths"] = work_->tries + 1;
  Note("trainer_died", std::move(fields));
  if (++work_->tries >= options_.worker_deaths_max)
    return EndWork(Outcome{
        input.task, GaveUp{StatusCode::kFailed,
                           Shortened(Concat("the trainer died ", work_->tries, " times, the last time ", input.how))}});
  PauseWork("the trainer died: " + input.how, Backoff(options_.retry_first, options_.retry_max, work_->tries - 1));
}

// A full disk is no verdict on the task: a person makes room, and then nobody thinks of us.  Tried again for as long as
// the task is wanted; heartbeats say why it takes so long.
void SessionMachine::AwaitSpace(const std::string& message) {
  Json fields = TaskJson(work_->task.task);
  fields["message"] = message;
  Note("disk_full", std::move(fields));
  PauseWork(Concat("its disk is full, and it tries again until there is room: ", message),
            Backoff(options_.retry_first, options_.retry_max, work_->full_disks++));
}

// The task begins anew after `pause`.
void SessionMachine::PauseWork(const std::string& trouble, Duration pause) {
  work_->stage = Stage::kPausing;
  work_->progress = 0;
  work_->trouble = Shortened(trouble);
  Beat();
  work_->retry_timer = Arm(pause);
}

// Stops the task in hand: at once where nothing runs, else when the trainer answers.
void SessionMachine::CancelWork(const std::string& why) {
  if (work_->stage == Stage::kCancelling) return;
  Json fields = TaskJson(work_->task.task);
  fields["why"] = why;
  Note("task_cancelled", std::move(fields));
  if (work_->stage != Stage::kRunning) return EndWork(std::nullopt);  // an answer to the fetch will be ignored
  work_->stage = Stage::kCancelling;
  actions_.push_back(CancelTask{work_->task.task});
}

void SessionMachine::EndWork(std::optional<Outcome> outcome) {
  work_.reset();
  if (outcome) {
    state_.Add(*outcome);
    actions_.push_back(Persist{state_});
    Deliver(*outcome);
    Beat();
  }
  if (queue_.empty()) {
    actions_.push_back(Tidy{});
    return;
  }
  const wire::Task task = std::move(queue_.front());
  queue_.pop_front();
  Take(task);
}

void SessionMachine::OnMessage(const wire::StandDown& down) {
  std::erase_if(queue_, [&](const wire::Task& task) { return task.task == down.task; });
  if (Working(down.task)) CancelWork(down.reason);
  if (state_.Find(down.task) == nullptr) return;
  deliveries_.erase(down.task);
  state_.Forget(down.task);
  Settle();
}

void SessionMachine::CheckStuck() {
  if (!work_ || (work_->stage != Stage::kRunning && work_->stage != Stage::kCancelling)) return;
  if (now_ - work_->last_sign < work_->silence_max) return;
  work_->last_sign = now_;
  actions_.push_back(StopWorker{work_->task.task, "it had said nothing for " + FormatDuration(work_->silence_max)});
}

}  // namespace consilium::client
