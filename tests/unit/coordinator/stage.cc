#include "stage.h"

#include <gtest/gtest.h>

namespace consilium::coordinator {
namespace {

std::string Describe(const wire::CoordinatorMessage& message) {
  std::string text(wire::MessageName(message));
  if (const auto* task = std::get_if<wire::Task>(&message)) text += Concat(" ", task->task);
  if (const auto* receipt = std::get_if<wire::Receipt>(&message))
    text += Concat(" ", receipt->task, " ", wire::DropReasonName(receipt->reason));
  if (const auto* down = std::get_if<wire::StandDown>(&message)) text += Concat(" ", down->task);
  if (const auto* ended = std::get_if<wire::JobEnded>(&message)) text += Concat(" ", StatusCodeName(ended->code));
  if (const auto* question = std::get_if<wire::SecureRequest>(&message))
    text += Concat(" ", wire::SecureStageName(question->stage), " ", question->session);
  return text;
}

}  // namespace

Stage::Stage(const JobOptions& options, SecureSetting secure) : options_(options), secure_(std::move(secure)) {
  machine_ = JobMachine::Open(MakeJob(options)).value();
  Step(Started{.lost_updates = {}, .secure = secure_});
}

Stage& Stage::Step(const Input& input) {
  next_.push_back(input);
  while (!next_.empty()) {
    const Input now = next_.front();
    next_.erase(next_.begin());
    for (const Action& action : machine_->Step(now, now_)) Execute(action);
    EXPECT_TRUE(replica_ == machine_->state()) << "the journal does not give the live state";
  }
  return *this;
}

void Stage::Execute(const Action& action) {
  if (const auto* persist = std::get_if<Persist>(&action)) {
    const StatusOr<Record> decoded = DecodeRecord(Encode(persist->record));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    journal_.push_back(*decoded);
    EXPECT_TRUE(replica_.Apply(*decoded).ok());
    lines_.push_back(Concat("persist ", RecordName(*decoded)));
  } else if (const auto* send = std::get_if<Send>(&action)) {
    lines_.push_back(Concat("send ", send->site, " ", Describe(send->message)));
    if (const auto* question = std::get_if<wire::SecureRequest>(&send->message)) asked_[send->site] = *question;
  } else if (const auto* timer = std::get_if<SetTimer>(&action)) {
    timers_.emplace(now_ + timer->after, timer->id);
    lines_.push_back(Concat("timer ", FormatDuration(timer->after)));
  } else if (const auto* check = std::get_if<CheckUpdate>(&action)) {
    const auto verdict = verdicts_.find(check->site);
    if (verdict == verdicts_.end())
      next_.push_back(UpdateChecked{check->site, check->task, Status()});
    else if (verdict->second)
      next_.push_back(UpdateChecked{check->site, check->task, *verdict->second});
    else
      held_checks_.push_back(*check);
  } else if (const auto* fold = std::get_if<FoldRound>(&action)) {
    std::string line = "fold", content = Concat("model of round ", fold->round);
    for (const Contribution& contribution : fold->contributions) {
      line += Concat(" ", contribution.site, "*", contribution.weight);
      if (contribution.staleness > 0) line += Concat("-", contribution.staleness);
    }
    lines_.push_back(line);
    if (fail_folds)
      next_.push_back(FoldFailed{fold->round, *fail_folds});
    else if (!hold_folds)
      next_.push_back(FoldDone{fold->round, FakeBlob(content), Sha256Of(content)});
  } else if (const auto* plan = std::get_if<MakePlan>(&action)) {
    std::string line = "plan from";
    for (const auto& [site, statistics] : plan->statistics) line += Concat(" ", site);
    lines_.push_back(line);
    if (fail_folds)
      next_.push_back(FoldFailed{Round(0), *fail_folds});
    else if (!hold_folds)
      next_.push_back(PlanMade{PlannedJson(options_), FakeBlob("plans of " + line), Sha256Of(line), 12, 5});
  } else if (const auto* keep = std::get_if<KeepModel>(&action)) {
    lines_.push_back("keep the first model");
    if (!hold_folds) next_.push_back(ModelKept{keep->model});
  } else if (const auto* publish = std::get_if<Publish>(&action)) {
    lines_.push_back(Concat("publish ", publish->round));
  } else if (const auto* build = std::get_if<BuildLocalModels>(&action)) {
    LocalModelsBuilt built;
    for (const Contribution& contribution : build->contributions)
      built.models[contribution.site] = FakeBlob(Concat("local model of ", contribution.site));
    lines_.push_back(Concat("build ", built.models.size(), " local models"));
    next_.push_back(built);
  } else if (const auto* disconnect = std::get_if<coordinator::Disconnect>(&action)) {
    lines_.push_back(Concat("disconnect ", disconnect->site, ": ", disconnect->reason));
  } else if (std::holds_alternative<Finish>(action)) {
    lines_.push_back("finish");
  } else if (const auto* report = std::get_if<coordinator::Report>(&action)) {
    lines_.push_back(Concat("report ", report->event, " ", report->fields.dump()));
  }
}

Stage& Stage::Connect(const std::string& site, const wire::Capability& capability) {
  mute_.erase(SiteName(site));
  return Step(SiteConnected{SiteName(site), capability});
}
Stage& Stage::Disconnect(const std::string& site) { return Step(SiteDisconnected{SiteName(site), "cut"}); }
Stage& Stage::Say(const std::string& site, wire::SiteMessage message) {
  return Step(FromSite{SiteName(site), std::move(message)});
}
Stage& Stage::Update(const std::string& site, int round, int attempt, double weight) {
  return Say(site, wire::UpdateReady{Train(round, attempt), FakeBlob(Concat(site, round)), weight, {{"loss", 0.5}}});
}
Stage& Stage::Prepared(const std::string& site, const wire::TaskKey& task) {
  return Say(site, wire::UpdateReady{task, FakeBlob(Concat(site, task.subject, "answer")), 1, {{"seconds", 1}}});
}
Stage& Stage::Fail(const std::string& site, const wire::TaskKey& task, const std::string& message, StatusCode code) {
  return Say(site, wire::TaskFailed{task, code, message});
}
Stage& Stage::Report(const std::string& site, int round, double dice) {
  return Say(site, wire::EvaluationReport{Evaluate(round), {{"dice", dice}}});
}

Stage& Stage::Validated(const std::string& site, const wire::TaskKey& task, double dice, double cases) {
  return Say(site, wire::EvaluationReport{task, {{"cases", cases}, {"dice", dice}}});
}

std::size_t Stage::awaited_timers() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(timers_, [this](const auto& timer) { return machine_->Awaits(timer.second); }));
}

Stage& Stage::Advance(Duration by) {
  const Instant until = now_ + by;
  while (!timers_.empty() && timers_.begin()->first <= until) {
    const auto [at, id] = *timers_.begin();
    timers_.erase(timers_.begin());
    now_ = at;
    for (const SiteName& site : machine_->state().opened().sites)
      if (machine_->IsConnected(site) && !mute_.contains(site)) Step(FromSite{site, wire::Heartbeat{}});
    Step(TimerFired{id});
  }
  now_ = until;
  return *this;
}

Stage& Stage::Restart(const std::vector<SiteName>& lost_updates) {
  timers_.clear();
  held_checks_.clear();
  machine_ = JobMachine::Restore(journal_).value();
  return Step(Started{lost_updates, secure_});
}

Stage& Stage::AnswerChecks() {
  std::vector<CheckUpdate> checks;
  checks.swap(held_checks_);
  for (const CheckUpdate& check : checks) Step(UpdateChecked{check.site, check.task, Status()});
  return *this;
}

std::string Stage::TakeLines() { return TakeLines(""); }

std::string Stage::TakeLines(const std::string& prefix) {
  std::string text;
  for (const std::string& line : lines_)
    if (line.starts_with(prefix)) text += line + "\n";
  lines_.clear();
  return text;
}

}  // namespace consilium::coordinator
