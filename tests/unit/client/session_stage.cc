#include "session_stage.h"

#include <gtest/gtest.h>

namespace consilium::client {
namespace {

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

std::string Describe(const wire::SiteMessage& message) {
  std::string text(wire::MessageName(message));
  if (const auto* beat = std::get_if<wire::Heartbeat>(&message)) text += Concat(" ", wire::SitePhaseName(beat->phase));
  if (const auto* ready = std::get_if<wire::UpdateReady>(&message)) text += Concat(" ", ready->task);
  if (const auto* report = std::get_if<wire::EvaluationReport>(&message)) text += Concat(" ", report->task);
  if (const auto* failed = std::get_if<wire::TaskFailed>(&message))
    text += Concat(" ", failed->task, " '", failed->message, "'");
  return text;
}

bool IsChatter(const std::string& line) {
  return line.starts_with("report") || line.starts_with("timer") || line.starts_with("send Heartbeat") ||
         line == "tidy";
}

}  // namespace

SessionStage::SessionStage(SessionOptions options) : options_(options) {
  machine_.emplace(SessionState(), options_);
  Step(Started{});
}

SessionStage& SessionStage::Step(const Input& input) {
  for (const Action& action : machine_->Step(input, now_)) Execute(action);
  return *this;
}

void SessionStage::Execute(const Action& action) {
  const auto say = [&](const auto&... parts) { lines_.push_back(Concat(parts...)); };
  std::visit(
      Overloaded{[&](const Dial&) { say("dial"); }, [&](const HangUp&) { say("hang up"); },
                 [&](const Send& send) {
                   EXPECT_TRUE(machine_->connected()) << "says something into the void";
                   say("send ", Describe(send.message));
                   if (const auto* beat = std::get_if<wire::Heartbeat>(&send.message)) last_beat_ = *beat;
                 },
                 [&](const SetTimer& timer) {
                   timers_.emplace(now_ + timer.after, timer.id);
                   say("timer ", FormatDuration(timer.after));
                 },
                 [&](const Persist& persist) {
                   persisted_ = SessionState::FromJson(persist.state.ToJson()).value();
                   say("persist ", persisted_.outcomes().size(), " outcomes");
                 },
                 [&](const AskSite& ask) { say("ask ", ask.task); },
                 [&](const Fetch& fetch) {
                   last_transfer_ = fetch.transfer;
                   last_fetched_ = fetch.model.digest;
                   say("fetch ", fetch.task);
                 },
                 [&](const Upload& upload) {
                   last_transfer_ = upload.transfer;
                   say("upload ", upload.task, " ", upload.file);
                 },
                 [&](const RunTask& run) {
                   last_run_ = run;
                   say("run ", run.task, " from state '", run.state_in, "'");
                 },
                 [&](const CancelTask& cancel) { say("cancel ", cancel.task); },
                 [&](const StopWorker& stop) { say("stop worker: ", stop.why); }, [&](const Tidy&) { say("tidy"); },
                 [&](const Finish& finish) {
                   finished_ = finish.status;
                   say("finish ", finish.status);
                 },
                 [&](const MaskVector& mask) { say("mask ", mask.update_file, " into ", mask.masked_file); },
                 [&](const Report& report) { say("report ", report.event, " ", report.fields.dump()); }},
      action);
}

SessionStage& SessionStage::Advance(Duration by) {
  const Instant until = now_ + by;
  while (!timers_.empty() && timers_.begin()->first <= until) {
    const auto [at, id] = *timers_.begin();
    timers_.erase(timers_.begin());
    now_ = at;
    Step(TimerFired{id});
  }
  now_ = until;
  return *this;
}

SessionStage& SessionStage::Restart() {
  timers_.clear();
  machine_.emplace(persisted_, options_);
  return Step(Started{});
}

std::string SessionStage::TakeLines() {
  std::string text;
  for (const std::string& line : lines_)
    if (!IsChatter(line)) text += line + "\n";
  lines_.clear();
  return text;
}

std::string SessionStage::TakeAllLines() {
  std::string text;
  for (const std::string& line : lines_) text += line + "\n";
  lines_.clear();
  return text;
}

}  // namespace consilium::client
