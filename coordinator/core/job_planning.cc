// Before round 0 of a job that asks for a plan: every site's statistics, one plan from their sum, the model that it
// describes.
//
// Both questions are asked as a round is (cohort, deadlines, tries, the journal): JobState::work() says which is open.
// Statistics come from whoever a round would ask.  The first model is the job's seeded weights, which any site can make
// and the coordinator, which has no LibTorch, cannot: in mode wait the first site makes it, in other modes it is the
// first that comes.
#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {

void JobMachine::TryOpenPreparation() {
  const bool waits = state_.plan().mode == RoundMode::kWait;
  if (state_.work() == Work::kStatistics) {
    if (waits) return OpenRound(state_.opened().sites, state_.opened().sites.size());
    if (!grace_over_ && !GatherAwaited().empty()) return;
    const std::vector<SiteName> present = FitMembers();
    if (present.size() >= state_.plan().sites_min) OpenRound(present, present.size());
    return;
  }
  const std::set<SiteName>& stated = state_.planned_from();
  if (waits) return OpenRound({*stated.begin()}, 1);
  std::vector<SiteName> present = FitMembers();
  std::erase_if(present, [&](const SiteName& site) { return !stated.contains(site); });
  if (!present.empty()) OpenRound(present, 1);
}

// What is open, for people.
std::string JobMachine::Title() const {
  switch (state_.work()) {
    case Work::kStatistics:
      return "the plan";
    case Work::kInitialModel:
      return "the first model";
    case Work::kTraining:
      break;
  }
  return Concat("round ", state_.round());
}

// The answers of a closed question go to the shell, which has the files.
void JobMachine::FinishPreparation() {
  const std::vector<UpdateAccepted> answers = state_.HeldUpdates();
  if (state_.work() == Work::kInitialModel) {
    actions_.push_back(KeepModel{answers.front().update});
    return;
  }
  MakePlan make;
  for (const UpdateAccepted& answer : answers) make.statistics[answer.site] = answer.update;
  actions_.push_back(std::move(make));
}

void JobMachine::On(const PlanMade& input) {
  if (state_.phase() != Phase::kFolding || state_.work() != Work::kStatistics) return;
  Commit(PlanPinned{input.job_json, input.plans, input.digest});
  Note("plan_pinned", {{"plan", input.digest.ToHex()},
                       {"job", Sha256Of(input.job_json).ToHex()},
                       {"sites", NamesJson({state_.planned_from().begin(), state_.planned_from().end()})},
                       {"cases", input.cases},
                       {"cases_min", input.cases_min}});
  EnterPhase();
}

void JobMachine::On(const ModelKept& input) {
  if (state_.phase() != Phase::kFolding || state_.work() != Work::kInitialModel) return;
  const std::string site = state_.HeldUpdates().front().site.value();
  Commit(ModelInitialized{input.model});
  actions_.push_back(Publish{state_.round(), input.model});
  Note("model_initialized", {{"site", site}, {"digest", input.model.digest.ToHex()}, {"bytes", input.model.bytes}});
  EnterPhase();
}

}  // namespace consilium::coordinator
