#include "comm/wire/messages.h"

#include <cmath>

#include "comm/wire/codec.h"

namespace consilium::wire {

std::ostream& operator<<(std::ostream& out, const TaskKey& task) {
  return out << task.job << "/" << (task.kind == TaskKind::kTrain ? "round " : "evaluation after round ") << task.round
             << "." << task.attempt;
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
  }
  return "unknown";
}

// One function lists a struct's fields for both directions: what is written is what is read.  (Found by
// argument-dependent lookup from codec.h, so not in an unnamed namespace.)
template <typename Io>
void Fields(Io& io, Hello& hello) {
  io(hello.protocol_major), io(hello.protocol_minor), io(hello.build), io(hello.instance);
}
template <typename Io>
void Fields(Io& io, Heartbeat& beat) {
  io.Enum(beat.phase, SitePhase::kUploading), Fields(io, beat.task), io(beat.progress), io(beat.metrics);
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
template <typename Io>
void Fields(Io& io, Welcome& welcome) {
  io(welcome.protocol_minor), io(welcome.coordinator), io(welcome.heartbeat_interval_ms);
}
template <typename Io>
void Fields(Io& io, Task& task) {
  Fields(io, task.task), io(task.job_json), io(task.model), io(task.deadline_ms);
}
template <typename Io>
void Fields(Io& io, Receipt& receipt) {
  Fields(io, receipt.task), io.Enum(receipt.reason, DropReason::kBadUpdate), io(receipt.detail);
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

Bytes Encode(const SiteMessage& message) { return EncodeVariant(message); }
Bytes Encode(const CoordinatorMessage& message) { return EncodeVariant(message); }

StatusOr<SiteMessage> DecodeSiteMessage(ByteSpan bytes) {
  ASSIGN_OR_RETURN(SiteMessage message, DecodeVariantMessage<SiteMessage>(bytes));
  if (const auto* ready = std::get_if<UpdateReady>(&message))
    if (!(ready->weight > 0) || !std::isfinite(ready->weight))
      return DataLoss("an update's weight must be positive and finite, is ", ready->weight);
  return message;
}

StatusOr<CoordinatorMessage> DecodeCoordinatorMessage(ByteSpan bytes) {
  return DecodeVariantMessage<CoordinatorMessage>(bytes);
}

std::string_view MessageName(const SiteMessage& message) {
  static constexpr std::string_view kNames[] = {"Hello", "Heartbeat", "UpdateReady", "EvaluationReport", "TaskFailed"};
  return kNames[message.index()];
}

std::string_view MessageName(const CoordinatorMessage& message) {
  static constexpr std::string_view kNames[] = {"Welcome", "Task", "Receipt", "StandDown", "JobEnded", "Refusal"};
  return kNames[message.index()];
}

}  // namespace consilium::wire
