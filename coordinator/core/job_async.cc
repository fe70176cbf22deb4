// Mode async: who is given work, and when a buffer is full.
#include <algorithm>

#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {

// To every site that has nothing in hand, or something so old that it could not count.  A site that failed in this
// round waits for the next one, so that one which fails at once does not fail all day; longer rests (site_health.h) are
// waived when too few would be left.
void JobMachine::GiveTasks() {
  if (state_.paused_by() || state_.phase() != Phase::kCollecting) return;
  const Round round = state_.round();
  const std::vector<SiteName> present = FitMembers();
  const auto awake = [&](const SiteName& site) { return !state_.HealthOf(site).Rests(round); };
  const bool waive =
      static_cast<std::size_t>(std::count_if(present.begin(), present.end(), awake)) < state_.plan().sites_min;
  for (const SiteName& site : present) {
    const auto work = state_.cohort().find(site);
    const bool failed_now = work != state_.cohort().end() && work->second.last_failure;
    if (failed_now || (!awake(site) && !waive)) continue;
    const auto given = state_.in_hand().find(site);
    std::optional<wire::TaskKey> stale;
    if (given != state_.in_hand().end()) {
      if (!state_.IsStale(given->second) || pending_.contains(site)) continue;
      stale = given->second;
    }
    Commit(TaskGiven{site, stale ? wire::TaskKey{state_.opened().job, round, Attempt{0}, wire::TaskKind::kTrain, ""}
                                 : state_.KeyFor(site)});
    if (stale) {
      Tell(site, wire::StandDown{*stale, "its model is too many rounds old"});
      ++drops_[site][wire::DropReason::kStale];
    }
    given_at_[site] = now_;
    SendTask(site);
  }
}

void JobMachine::TryCloseAsync() {
  const std::size_t replies = state_.HeldUpdates().size();
  if (replies >= state_.target()) return CloseRound(CloseReason::kEnough);
  if (deadline_over_ && pending_.empty()) {
    if (!state_.paused_by()) return CloseRound(CloseReason::kDeadline);
    return ArmDeadline(state_.plan().deadlines().reminder);
  }
  // Everybody has failed in this round, and nobody will be asked again before the next.
  const auto failed = [](const auto& work) { return work.second.last_failure.has_value(); };
  if (state_.in_hand().empty() && std::all_of(state_.cohort().begin(), state_.cohort().end(), failed))
    CloseRound(CloseReason::kDeadline);
}

void JobMachine::StandDownAll(const std::map<SiteName, wire::TaskKey>& in_hand, const std::string& why) {
  pending_.clear();
  for (const auto& [site, task] : in_hand) Tell(site, wire::StandDown{task, why});
}

}  // namespace consilium::coordinator
