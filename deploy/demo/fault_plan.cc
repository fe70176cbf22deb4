#include "deploy/demo/fault_plan.h"

#include <algorithm>

#include "deploy/demo/event_fields.h"

namespace consilium::demo {
namespace {

// Is this what the fault waits for?
bool IsMoment(const Fault& fault, const Json& event) {
  const std::string kind = Text(event, "event");
  const bool victims = Text(event, "site") == fault.victim;
  switch (fault.when) {
    case Fault::When::kFirstUpdate:
      return kind == "update_accepted" || kind == "site_ready";
    case Fault::When::kTraining:
      return victims && kind == "progress" && Text(event, "phase") == "training";
    case Fault::When::kSharing:
      return victims && kind == "secure_answer" && Text(event, "stage") == "shares";
  }
  return false;
}

}  // namespace

FaultPlan FaultPlan::For(const Workspace& workspace) {
  FaultPlan plan;
  if (workspace.rounds < 3) return plan;
  const bool secure = workspace.summing == Summing::kSecure;
  const std::string site = workspace.sites.back();
  plan.planned_ = {{.round = workspace.rounds / 3,
                    .victim = kCoordinatorName,
                    .story = secure ? "  -- kill -9 of the coordinator, one hospital of this round ready; started "
                                      "again, it goes on from its journal, and nothing is trained again --"
                                    : "  -- kill -9 of the coordinator, one update of this round already in; started "
                                      "again, it goes on from its journal --"}};
  Fault second = {.round = 2 * workspace.rounds / 3, .victim = site, .when = Fault::When::kTraining};
  if (workspace.sites.size() == kSitesMin) {
    second.story =
        "  -- kill -9 of " + site + "'s client while it trains; started again, it finds its work and its way back --";
  } else if (!secure) {
    second.after = Fault::After::kGone;
    second.story = "  -- " + site + " vanishes for good while it trains --";
  } else {
    second.when = Fault::When::kSharing;
    second.after = Fault::After::kGone;
    second.story =
        "  -- " + site + " vanishes for good, in the middle of a secret sum: its keys are in the others' " + "masks --";
  }
  plan.planned_.push_back(std::move(second));
  return plan;
}

std::optional<Fault> FaultPlan::Due(const Json& event) {
  if (planned_.empty()) return std::nullopt;
  const Fault& next = planned_.front();
  const auto round = event.find("round");
  if (round == event.end() || !round->is_number_integer() || round->get<std::int64_t>() < next.round)
    return std::nullopt;
  // The sum begins when the last of the sites is ready.
  urgent_ = next.when == Fault::When::kSharing &&
            (urgent_ || (Text(event, "event") == "site_ready" && Text(event, "site") == next.victim));
  if (!IsMoment(next, event)) return std::nullopt;
  urgent_ = false;
  happened_.push_back(next);
  planned_.erase(planned_.begin());
  return happened_.back();
}

bool FaultPlan::IsGone(const std::string& name) const {
  return std::any_of(happened_.begin(), happened_.end(),
                     [&](const Fault& fault) { return fault.victim == name && fault.after == Fault::After::kGone; });
}

}  // namespace consilium::demo
