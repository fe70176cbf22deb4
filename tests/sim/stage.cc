#include "stage.h"

namespace consilium::simtest {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

void Actor::Boot() {
  if (alive() || left_) return;
  const bool power_was_lost = std::exchange(last_death_, sim::Death::kProcess) == sim::Death::kMachine;
  node_.Start(Instant(seconds(stage_->rng.Below(1'000'000))));
  stage_->trace.Note(name(), " boots, life ", node_.life());
  Wake(power_was_lost);
  if (alive()) stage_->network.Attach(&node_, this);
}

// A supervisor starts it again, or a person does after a while.
void Actor::Die(sim::Death death) {
  if (!alive()) return;
  ++stage_->counters.kills;
  stage_->trace.Note(name(), death == sim::Death::kMachine ? " loses power" : " is killed");
  node_.Kill();
  stage_->network.Detach(name(), death);
  if (death == sim::Death::kMachine) {
    ++stage_->counters.power_losses;
    node_.disk().LosePower(&stage_->rng);
  }
  last_death_ = death;
  stage_->queue.After(Between(milliseconds(50), seconds(8)), [this] { Boot(); });
}

void Actor::Exit(const Status& why) {
  if (!alive()) return;
  ++stage_->counters.exits;
  stage_->trace.Note(name(), " ends: ", why.ok() ? "done" : why.message());
  node_.Kill();
  stage_->network.Detach(name(), sim::Death::kProcess);
  if (why.code() != StatusCode::kStorage) {
    left_ = true;
    return;
  }
  stage_->queue.After(Between(seconds(1), seconds(10)), [this] { Boot(); });
}

Actor::Verdict Actor::NextAction(bool is_persist) {
  const std::size_t number = ++stage_->counters.actions[name()];
  if (is_persist) stage_->counters.persists[name()].insert(number);
  const FaultRates& faults = stage_->scenario.faults;
  for (const CrashPoint& crash : stage_->scenario.crashes)
    if (crash.actor == name() && crash.action == number)
      return {crash.when == CrashPoint::When::kTorn ? Fate::kDieInside : Fate::kDieAfter, crash.death};
  if (!stage_->faulty || faults.kill_per_action == 0 || !stage_->rng.Bernoulli(faults.kill_per_action)) return {};
  const sim::Death death = stage_->rng.Bernoulli(faults.power_loss) ? sim::Death::kMachine : sim::Death::kProcess;
  const bool inside = is_persist && stage_->rng.Bernoulli(faults.torn_write);
  return {inside ? Fate::kDieInside : Fate::kDieAfter, death};
}

}  // namespace consilium::simtest
