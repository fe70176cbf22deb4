#include "deploy/demo/fault_plan.h"

#include "deploy/demo/event_fields.h"

namespace consilium::demo {

FaultPlan FaultPlan::For(std::int64_t rounds, const std::string& coordinator, const std::string& site) {
  FaultPlan plan;
  if (rounds < 3) return plan;
  plan.planned_ = {{rounds / 3, coordinator,
                    "  -- kill -9 of the coordinator, one update of this round already in; started again, it goes on "
                    "from its journal --"},
                   {2 * rounds / 3, site,
                    "  -- kill -9 of " + site +
                        "'s client while it trains; started again, it finds its work and "
                        "its way back --"}};
  return plan;
}

std::optional<Fault> FaultPlan::Due(const Json& event) {
  if (planned_.empty()) return std::nullopt;
  const Fault& next = planned_.front();
  const bool coordinators_moment = Text(event, "event") == "update_accepted";
  const bool clients_moment =
      Text(event, "event") == "progress" && Text(event, "phase") == "training" && Text(event, "site") == next.victim;
  const auto round = event.find("round");
  if (round == event.end() || !round->is_number_integer() || round->get<std::int64_t>() < next.round)
    return std::nullopt;
  if (happened_.empty() ? !coordinators_moment : !clients_moment) return std::nullopt;
  happened_.push_back(next);
  planned_.erase(planned_.begin());
  return happened_.back();
}

}  // namespace consilium::demo
