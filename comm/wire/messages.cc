#include "comm/wire/messages.h"

#include <cmath>

#include "comm/wire/codec.h"
#include "comm/wire/job_for_peer.h"
#include "comm/wire/preparation.h"

namespace consilium::wire {
namespace {

constexpr std::size_t kWaitingMax = 64;

}  // namespace

std::ostream& operator<<(std::ostream& out, const TaskKey& task) {
  static constexpr const char* kWords[] = {"round ", "evaluation after round ", "validation after round ",
                                           "statistics before round "};
  if (task.kind == TaskKind::kStatistics && task.subject == kInitialModelSubject)
    return out << task.job << "/first model before round " << task.round << "." << task.attempt;
  out << task.job << "/" << kWords[static_cast<std::size_t>(task.kind)] << task.round << "." << task.attempt;
  return task.subject.empty() ? out : out << " of " << task.subject;
}

std::string_view TaskKindName(TaskKind kind) {
  switch (kind) {
    case TaskKind::kTrain:
      return "train";
    case TaskKind::kEvaluate:
      return "evaluate";
    case TaskKind::kValidate:
      return "validate";
    case TaskKind::kStatistics:
      return "statistics";
  }
  return "unknown";
}

std::string_view SitePhaseName(SitePhase phase) {
  switch (phase) {
    case SitePhase::kIdle:
      return "idle";
    case SitePhase::kFetching:
      return "fetching";
    case SitePhase::kTraining:
      return "training";
    case SitePhase::kEvaluating:
      return "evaluating";
    case SitePhase::kUploading:
      return "uploading";
  }
  return "unknown";
}

std::string_view DropReasonName(DropReason reason) {
  switch (reason) {
    case DropReason::kNone:
      return "accepted";
    case DropReason::kDuplicate:
      return "duplicate";
    case DropReason::kLate:
      return "late";
    case DropReason::kUnknownTask:
      return "unknown_task";
    case DropReason::kNotInCohort:
      return "not_in_cohort";
    case DropReason::kBadUpdate:
      return "bad_update";
    case DropReason::kStale:
      return "stale";
  }
  return "unknown";
}

std::string_view SecureStageName(SecureStage stage) {
  static constexpr std::string_view kNames[] = {"ready",   "keys",  "shares", "vector", "confirm",
                                                "release", "abort", "commit", "reveal", "beacon"};
  return kNames[static_cast<std::size_t>(stage)];
}

// One function lists a struct's fields for both directions: what is written is what is read.  (Found by
// argument-dependent lookup from codec.h, so not in an unnamed namespace.)
template <typename Io>
void Fields(Io& io, Capability& site) {
  io(site.cores), io(site.memory_bytes), io(site.gpus), io(site.trainer), io(site.features);
}
template <typename Io>
void Fields(Io& io, Hello& hello) {
  io(hello.protocol_major), io(hello.protocol_minor);
  if (hello.protocol_major != kProtocolMajor) return io.SkipRest();  // enough to refuse it by name
  io(hello.build), io(hello.instance);
  if (hello.protocol_minor >= 1) Fields(io, hello.capability);
  if (hello.protocol_minor > kProtocolMinor) io.SkipRest();  // what a later version says besides
}
template <typename Io>
void Fields(Io& io, Heartbeat& beat) {
  io.Enum(beat.phase, SitePhase::kUploading), Fields(io, beat.task), io(beat.progress), io(beat.metrics);
  if (io.minor() < 1) return;
  io.List(beat.waiting, kWaitingMax, [](auto& list_io, TaskKey& task) { Fields(list_io, task); });
  io(beat.download_bytes_per_second), io(beat.upload_bytes_per_second), io(beat.trouble);
}
template <typename Io>
void Fields(Io& io, UpdateReady& ready) {
  Fields(io, ready.task), io(ready.update), io(ready.weight), io(ready.metrics);
}
template <typename Io>
void Fields(Io& io, EvaluationReport& report) {
  Fields(io, report.task), io(report.metrics);
}
template <typename Io>
void Fields(Io& io, TaskFailed& failed) {
  Fields(io, failed.task), io(failed.code), io(failed.message);
}
SecureStage LastStage(std::uint32_t minor) { return minor >= 3 ? SecureStage::kBeacon : SecureStage::kAbort; }
template <typename Io>
void Fields(Io& io, SecureAnswer& answer) {
  Fields(io, answer.task), io(answer.session), io.Enum(answer.stage, LastStage(io.minor()));
  io.Blob(answer.body, kSecureBodyBytesMax), io(answer.vector);
}
template <typename Io>
void Fields(Io& io, SecureRequest& request) {
  Fields(io, request.task), io(request.session), io.Enum(request.stage, LastStage(io.minor()));
  io.Blob(request.body, kSecureBodyBytesMax);
}
template <typename Io>
void Fields(Io& io, Welcome& welcome) {
  io(welcome.protocol_minor), io(welcome.coordinator), io(welcome.heartbeat_interval_ms);
  if (welcome.protocol_minor > kProtocolMinor) io.SkipRest();
}
template <typename Io>
void Fields(Io& io, Task& task) {
  Fields(io, task.task), io(task.job_json), io(task.model), io(task.deadline_ms);
  if (io.minor() >= 1) io(task.auxiliary);
}
template <typename Io>
void Fields(Io& io, Receipt& receipt) {
  if (io.minor() < 1 && receipt.reason == DropReason::kStale) receipt.reason = DropReason::kLate;
  Fields(io, receipt.task), io.Enum(receipt.reason, DropReason::kStale), io(receipt.detail);
}
template <typename Io>
void Fields(Io& io, StandDown& down) {
  Fields(io, down.task), io(down.reason);
}
template <typename Io>
void Fields(Io& io, JobEnded& ended) {
  io(ended.job), io(ended.code), io(ended.message);
}
template <typename Io>
void Fields(Io& io, Refusal& refusal) {
  io(refusal.code), io(refusal.message);
}

Bytes Encode(const SiteMessage& message, std::uint32_t minor) { return EncodeVariant(message, minor); }
Bytes Encode(const CoordinatorMessage& message, std::uint32_t minor) {
  const auto* task = std::get_if<Task>(&message);
  if (task == nullptr || minor >= kProtocolMinor) return EncodeVariant(message, minor);
  Task told = *task;
  told.job_json = JobForPeer(task->job_json, minor);
  return EncodeVariant(CoordinatorMessage(std::move(told)), minor);
}

StatusOr<SiteMessage> DecodeSiteMessage(ByteSpan bytes, std::uint32_t minor) {
  ASSIGN_OR_RETURN(SiteMessage message, DecodeVariantMessage<SiteMessage>(bytes, minor));
  if (const auto* ready = std::get_if<UpdateReady>(&message))
    if (!(ready->weight > 0) || !std::isfinite(ready->weight))
      return DataLoss("an update's weight must be positive and finite, is ", ready->weight);
  return message;
}

StatusOr<CoordinatorMessage> DecodeCoordinatorMessage(ByteSpan bytes, std::uint32_t minor) {
  return DecodeVariantMessage<CoordinatorMessage>(bytes, minor);
}

std::string_view MessageName(const SiteMessage& message) {
  static constexpr std::string_view kNames[] = {"Hello",      "Heartbeat",   "UpdateReady", "EvaluationReport",
                                                "TaskFailed", "SecureAnswer"};
  return kNames[message.index()];
}

std::string_view MessageName(const CoordinatorMessage& message) {
  static constexpr std::string_view kNames[] = {"Welcome",  "Task",    "Receipt",      "StandDown",
                                                "JobEnded", "Refusal", "SecureRequest"};
  return kNames[message.index()];
}

}  // namespace consilium::wire
