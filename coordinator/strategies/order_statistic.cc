// Yin et al., "Byzantine-robust distributed learning: towards optimal statistical rates", ICML 2018: of every
// coordinate the median (definition 1), or the mean of what is left without the beta n largest and smallest values
// (definition 2).  Neither keeps anything between rounds.
#include <algorithm>
#include <cmath>

#include "coordinator/strategies/families.h"

namespace consilium::coordinator {
namespace {

class OrderStatistic final : public Strategy {
 public:
  explicit OrderStatistic(const wire::FederationSpec& federation) : Strategy(federation) {}
  StatusOr<FoldPlan> Plan(const PlanInput& input) const override {
    FoldPlan plan = WeightedSum(input, EqualShares(input));
    if (spec().name == "median") {
      plan.rule = CombineRule::kMedian;
      return plan;
    }
    // Rounded up: of three sites and beta = 0.2, rounding down would trim none and protect nobody.  The small number
    // takes back what binary fractions add (0.2 * 15 > 3).
    const std::size_t n = input.updates.size();
    const auto wanted = static_cast<std::size_t>(std::ceil(Parameter("trim") * static_cast<double>(n) - 1e-9));
    plan.trim = std::min(wanted, (n - 1) / 2);
    plan.notes["trimmed"] = 2 * plan.trim;
    if (plan.trim > 0) plan.rule = CombineRule::kTrimmedMean;
    return plan;
  }
};

}  // namespace

std::unique_ptr<const Strategy> MakeOrderStatistic(const wire::FederationSpec& federation) {
  return std::make_unique<OrderStatistic>(federation);
}

}  // namespace consilium::coordinator
