#include "coordinator/core/task_gate.h"

namespace consilium::coordinator {
namespace {

using wire::DropReason;
using wire::TaskKind;

Verdict JudgeOpenWork(const JobState& state, const SiteName& site, const wire::TaskKey& task) {
  const auto found = state.cohort().find(site);
  if (found == state.cohort().end())
    return {DropReason::kNotInCohort, Concat(site, " joined after this was opened; it takes part in the next round")};
  const SiteWork& work = found->second;
  if (work.answered()) return {DropReason::kDuplicate, "this site's answer is already there"};
  if (state.GaveUp(work)) return {DropReason::kLate, "this site has failed the task; it takes part in the next round"};
  const Attempt attempt{work.failures};
  if (task.attempt < attempt) return {DropReason::kLate, Concat("attempt ", attempt, " has taken its place")};
  if (task.attempt > attempt) return {DropReason::kUnknownTask, Concat("attempt ", attempt, " is the one in hand")};
  return {};
}

Verdict JudgeTraining(const JobState& state, const SiteName& site, const wire::TaskKey& task) {
  const std::size_t round = ToInt(task.round);
  if (round < state.past().size())
    return state.past()[round].contains(site) ? Verdict{DropReason::kDuplicate, "this site's update was used"}
                                              : Verdict{DropReason::kLate, Concat("round ", round, " is closed")};
  if (state.phase() == Phase::kFinished) return {DropReason::kLate, "the job is over"};
  if (state.phase() != Phase::kCollecting || task.round != state.round())
    return {DropReason::kUnknownTask, Concat("round ", round, " is not open")};
  return JudgeOpenWork(state, site, task);
}

Verdict JudgeEvaluation(const JobState& state, const SiteName& site, const wire::TaskKey& task) {
  if (state.phase() == Phase::kFinished) {
    const auto work = state.cohort().find(site);
    return work != state.cohort().end() && work->second.evaluation
               ? Verdict{DropReason::kDuplicate, "this site's evaluation is already there"}
               : Verdict{DropReason::kLate, "the job is over"};
  }
  if (state.phase() != Phase::kEvaluating || task.round != state.KeyFor(site).round)
    return {DropReason::kUnknownTask, "this evaluation was not asked for"};
  return JudgeOpenWork(state, site, task);
}

}  // namespace

Verdict JudgeAnswer(const JobState& state, const SiteName& site, const wire::TaskKey& task) {
  if (task.job != state.opened().job || state.phase() == Phase::kNew)
    return {DropReason::kUnknownTask, Concat("there is no job '", task.job, "'")};
  if (!state.IsMember(site)) return {DropReason::kNotInCohort, Concat(site, " is not a site of this job")};
  return task.kind == TaskKind::kTrain ? JudgeTraining(state, site, task) : JudgeEvaluation(state, site, task);
}

}  // namespace consilium::coordinator
