// What came of tasks: said again on every connection until the coordinator's receipt.
#include "client/core/passing.h"
#include "client/core/session_machine.h"

namespace consilium::client {

void SessionMachine::DeliverAll() {
  for (const Outcome& outcome : state_.outcomes()) Deliver(outcome);
}

void SessionMachine::Deliver(const Outcome& outcome) {
  if (!connected_) return;
  if (const auto* trained = std::get_if<Trained>(&outcome.result); trained != nullptr && trained->secure)
    return DeliverSecure(outcome);
  Delivery& delivery = deliveries_[outcome.task];
  if (delivery.upload) return;
  const auto* trained = std::get_if<Trained>(&outcome.result);
  if (trained == nullptr) return Say(outcome);
  delivery.upload = NextTransfer();
  delivery.began = now_;
  actions_.push_back(Upload{*delivery.upload, outcome.task, trained->update, UpdateFile(outcome.task)});
}

void SessionMachine::OnUploaded(const wire::TaskKey& task, const Status& result, std::uint64_t bytes_moved) {
  const Outcome* outcome = state_.Find(task);
  if (outcome == nullptr) return;
  if (const auto* trained = std::get_if<Trained>(&outcome->result); trained != nullptr && trained->secure)
    return OnMaskedUploaded(task, result, bytes_moved);
  Delivery& delivery = deliveries_[task];
  const auto note = [&](const char* event) {
    if (const auto* trained = std::get_if<Trained>(&outcome->result))
      NoteTransfer(event, task, trained->update, delivery.began, bytes_moved, result, &upload_rate_);
  };
  if (IsPassingForUploads(result.code())) {
    note("upload_interrupted");
    if (connected_) delivery.retry_timer = Arm(Backoff(options_.retry_first, options_.retry_max, delivery.tries++));
    return;
  }
  // Refused: the round is closed, or the coordinator has it already.  Its receipt says which.
  note(result.ok() ? "uploaded" : "upload_refused");
  Say(*outcome);
}

void SessionMachine::Say(const Outcome& outcome) {
  deliveries_[outcome.task].said = true;
  if (const auto* trained = std::get_if<Trained>(&outcome.result))
    actions_.push_back(Send{wire::UpdateReady{outcome.task, trained->update, trained->weight, trained->metrics}});
  if (const auto* evaluated = std::get_if<Evaluated>(&outcome.result))
    actions_.push_back(Send{wire::EvaluationReport{outcome.task, evaluated->metrics}});
  if (const auto* gave_up = std::get_if<GaveUp>(&outcome.result))
    actions_.push_back(Send{wire::TaskFailed{outcome.task, gave_up->code, gave_up->message}});
}

void SessionMachine::OnMessage(const wire::Receipt& receipt) {
  const Outcome* outcome = state_.Find(receipt.task);
  if (outcome == nullptr) return;
  // The receipt of a failure says that it was heard, also of work that was trained and then refused to be summed.
  const bool trained = std::holds_alternative<Trained>(outcome->result);
  Note("receipt", {{"round", ToInt(receipt.task.round)},
                   {"result", wire::DropReasonName(receipt.reason)},
                   {"detail", receipt.detail}});
  deliveries_.erase(receipt.task);
  if (trained && (receipt.reason == wire::DropReason::kNone || receipt.reason == wire::DropReason::kDuplicate))
    state_.Counts(receipt.task);
  state_.Forget(receipt.task);
  Settle();
}

// The state has lost something: remember that, then drop the files.
void SessionMachine::Settle() {
  const auto is_over = [this](const auto& entry) { return state_.Find(entry.first) == nullptr; };
  std::erase_if(sums_, is_over);
  std::erase_if(given_up_, is_over);
  actions_.push_back(Persist{state_});
  actions_.push_back(Tidy{});
}

}  // namespace consilium::client
