// Asking sites to evaluate models: every so many rounds, at the end, and across sites.
#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {

void JobMachine::OpenEvaluation(const std::vector<SiteName>& cohort) {
  const std::map<std::string, wire::BlobManifest> global = {{"", state_.model()}};
  switch (state_.next()) {
    case NextStep::kRoundEvaluation:
      return OpenEvaluationOf(Purpose::kRound, cohort, global);
    case NextStep::kFinalEvaluation:
      return OpenEvaluationOf(Purpose::kFinal, cohort, global);
    case NextStep::kCrossSite: {
      if (building_) return;
      building_ = true;
      BuildLocalModels build;
      for (const auto& [site, local] : state_.local_updates())
        build.contributions.push_back({.site = site, .update = local.update, .base = local.base.digest});
      actions_.push_back(std::move(build));
      return;
    }
    case NextStep::kRound:
    case NextStep::kNothing:
      return;
  }
}

void JobMachine::On(const LocalModelsBuilt& input) {
  if (state_.phase() != Phase::kGathering || state_.next() != NextStep::kCrossSite) return;
  std::map<std::string, wire::BlobManifest> subjects = {{"", state_.model()}};
  for (const auto& [site, model] : input.models) subjects.emplace(site.value(), model);
  OpenEvaluationOf(Purpose::kCrossSite, state_.plan().mode == RoundMode::kWait ? state_.opened().sites : FitMembers(),
                   std::move(subjects));
}

void JobMachine::OpenEvaluationOf(Purpose purpose, const std::vector<SiteName>& cohort,
                                  std::map<std::string, wire::BlobManifest> subjects) {
  const bool heldout = purpose == Purpose::kFinal || (purpose == Purpose::kRound && state_.plan().evaluate_heldout);
  Commit(EvaluationOpened{cohort, purpose, heldout ? wire::TaskKind::kEvaluate : wire::TaskKind::kValidate,
                          std::move(subjects)});
  Note("evaluation_opened", {{"purpose", PurposeName(purpose)}, {"cohort", NamesJson(cohort)}});
  EnterPhase();
}

void JobMachine::CloseEvaluation(CloseReason reason) {
  const std::vector<SiteName> awaited = state_.Awaited();
  std::map<SiteName, wire::TaskKey> overdue;
  for (const SiteName& site : awaited) overdue[site] = state_.KeyFor(site);
  const double seconds = Seconds(now_ - phase_since_);
  const std::optional<BestModel> best_before = state_.best();
  Commit(EvaluationClosed{reason});
  for (const auto& [site, task] : overdue) Tell(site, wire::StandDown{task, "the evaluation closed at its deadline"});
  const EvaluationResult& result = state_.evaluations().back();
  Note("evaluation_closed", {{"purpose", PurposeName(result.purpose)},
                             {"round", ToInt(result.round)},
                             {"mean", MetricsJson(result.Mean())},
                             {"missing", NamesJson(awaited)},
                             {"seconds", seconds}});
  if (state_.best() && state_.best() != best_before)
    Note("best_model",
         {{"round", ToInt(state_.best()->round)}, {"metric", state_.plan().metric}, {"value", state_.best()->value}});
  if (state_.stopped_early() && result.purpose == Purpose::kRound)
    Note("stopped_early", {{"round", ToInt(result.round)}, {"patience", state_.plan().patience}});
  EnterPhase();
}

}  // namespace consilium::coordinator
