#include "coordinator/core/task_gate.h"

#include <algorithm>

namespace consilium::coordinator {
namespace {

using wire::DropReason;
using wire::TaskKind;

Verdict JudgeAttempt(const SiteWork& work, const wire::TaskKey& task) {
  const Attempt attempt{work.failures};
  if (task.attempt < attempt) return {DropReason::kLate, Concat("attempt ", attempt, " has taken its place")};
  if (task.attempt > attempt) return {DropReason::kUnknownTask, Concat("attempt ", attempt, " is the one in hand")};
  return {};
}

Verdict NotInCohort(const SiteName& site) {
  return {DropReason::kNotInCohort, Concat(site, " was not asked in this round; it may be in the next")};
}

// A task of the open question, from a site of its cohort.
Verdict JudgeOpen(const JobState& state, const SiteName& site, const wire::TaskKey& task) {
  const auto found = state.cohort().find(site);
  if (found == state.cohort().end()) return NotInCohort(site);
  const SiteWork& work = found->second;
  if (work.update) return {DropReason::kDuplicate, "this site's answer is already there"};
  if (work.left_out != LeftOut::kNo)
    return {DropReason::kLate, "its group is done without it; it takes part in the next round"};
  if (state.GaveUp(work)) return {DropReason::kLate, "this site has failed the task; it takes part in the next round"};
  return JudgeAttempt(work, task);
}

// Statistics, and the planned network's first weights.
Verdict JudgePreparation(const JobState& state, const SiteName& site, const wire::TaskKey& task) {
  const wire::TaskKey asked = state.KeyFor(site);
  const bool same = task.kind == asked.kind && task.subject == asked.subject && task.round == asked.round;
  if (state.preparing() && state.phase() == Phase::kCollecting && same) return JudgeOpen(state, site, task);
  const bool used = task.subject.empty() && state.planned_from().contains(site);
  if (used) return {DropReason::kDuplicate, "this site's statistics were used"};
  if (state.pinned() || state.phase() == Phase::kFolding) return {DropReason::kLate, "this is no longer asked for"};
  if (state.phase() == Phase::kFinished) return {DropReason::kLate, "the job is over"};
  return {DropReason::kUnknownTask, "this was not asked for"};
}

Verdict JudgeTraining(const JobState& state, const SiteName& site, const wire::TaskKey& task) {
  const std::size_t round = ToInt(task.round);
  if (round < state.past().size())
    return state.past()[round].contains(site) ? Verdict{DropReason::kDuplicate, "this site's update was used"}
                                              : Verdict{DropReason::kLate, Concat("round ", round, " is closed")};
  if (state.phase() == Phase::kFinished) return {DropReason::kLate, "the job is over"};
  if (state.phase() != Phase::kCollecting || state.preparing() || task.round != state.round() || !task.subject.empty())
    return {DropReason::kUnknownTask, Concat("round ", round, " is not open")};
  return JudgeOpen(state, site, task);
}

// While a round is folded, answers are taken and wait for the next one to open.
Verdict JudgeAsyncTraining(const JobState& state, const SiteName& site, const wire::TaskKey& task) {
  const LastTask* last = state.LastTaskOf(site);
  if (last != nullptr && last->task == task)
    return last->used ? Verdict{DropReason::kDuplicate, "this site's update was used"}
                      : Verdict{DropReason::kLate, "another task has taken its place"};
  if (state.phase() == Phase::kFinished || state.all_rounds_done()) return {DropReason::kLate, "all rounds are done"};
  const auto given = state.in_hand().find(site);
  if (given == state.in_hand().end() || given->second != task)
    return task.round > state.round() ? Verdict{DropReason::kUnknownTask, Concat("round ", task.round, " is not open")}
                                      : Verdict{DropReason::kLate, "it is not this site's task in hand"};
  if (state.IsStale(task))
    return {DropReason::kStale,
            Concat("the model of round ", task.round, " is more than ", state.plan().staleness_max, " rounds old")};
  return {};
}

Verdict JudgePastEvaluation(const JobState& state, const SiteName& site, const wire::TaskKey& task) {
  bool closed = false;
  for (const EvaluationResult& past : state.evaluations()) {
    if (past.kind != task.kind || past.round != task.round) continue;
    closed = true;
    const auto subject = past.metrics.find(task.subject);
    if (subject != past.metrics.end() && subject->second.contains(site))
      return {DropReason::kDuplicate, "this site's evaluation is already there"};
  }
  if (closed) return {DropReason::kLate, "this evaluation is closed"};
  if (state.phase() == Phase::kFinished) return {DropReason::kLate, "the job is over"};
  return {DropReason::kUnknownTask, "this evaluation was not asked for"};
}

Verdict JudgeEvaluation(const JobState& state, const SiteName& site, const wire::TaskKey& task) {
  const std::optional<EvaluationOpened>& open = state.evaluation();
  if (state.phase() != Phase::kEvaluating || task.kind != open->kind || ToInt(task.round) + 1 != ToInt(state.round()) ||
      !open->subjects.contains(task.subject))
    return JudgePastEvaluation(state, site, task);
  const auto found = state.cohort().find(site);
  if (found == state.cohort().end()) return NotInCohort(site);
  const SiteWork& work = found->second;
  if (work.answers.contains(task.subject)) return {DropReason::kDuplicate, "this site's evaluation is already there"};
  if (work.given_up.contains(task.subject)) return {DropReason::kLate, "this site has failed the task"};
  if (state.KeyFor(site).subject != task.subject)
    return {DropReason::kUnknownTask, "another model is this site's to evaluate first"};
  return JudgeAttempt(work, task);
}

}  // namespace

Verdict JudgeAnswer(const JobState& state, const SiteName& site, const wire::TaskKey& task) {
  if (task.job != state.opened().job || state.phase() == Phase::kNew)
    return {DropReason::kUnknownTask, Concat("there is no job '", task.job, "'")};
  if (!state.IsMember(site)) return {DropReason::kNotInCohort, Concat(site, " is not a site of this job")};
  if (task.kind == TaskKind::kTrain)
    return state.async() ? JudgeAsyncTraining(state, site, task) : JudgeTraining(state, site, task);
  return task.kind == TaskKind::kStatistics ? JudgePreparation(state, site, task) : JudgeEvaluation(state, site, task);
}

}  // namespace consilium::coordinator
