// Sun, Kairouz, Suresh, McMahan, "Can you really backdoor federated learning?", 2019, section 4 (norm thresholding):
//   x <- x + sum_i p_i d_i min(1, C / |d_i|),
// C given, or a multiple of the median of this round's norms.  Nothing is kept between rounds.
#include <algorithm>

#include "coordinator/strategies/families.h"

namespace consilium::coordinator {
namespace {

class NormClipping final : public Strategy {
 public:
  explicit NormClipping(const wire::FederationSpec& federation) : Strategy(federation) {}
  Geometry geometry() const override { return Geometry::kNorms; }

  StatusOr<FoldPlan> Plan(const PlanInput& input) const override {
    std::vector<double> norms;
    for (std::size_t i = 0; i < input.updates.size(); ++i) norms.push_back(input.gram.Norm(i));
    double bound = Parameter("bound");
    if (bound == 0) bound = Parameter("median_multiple") * MedianOf(norms);
    std::vector<double> coefficients = SharesOf(input);
    std::size_t clipped = 0;
    for (std::size_t i = 0; i < norms.size(); ++i) {
      if (norms[i] <= bound) continue;
      coefficients[i] *= bound / norms[i];
      ++clipped;
    }
    FoldPlan plan = WeightedSum(input, std::move(coefficients));
    plan.notes["clip_bound"] = bound;
    plan.notes["clipped"] = clipped;
    return plan;
  }
};

}  // namespace

std::unique_ptr<const Strategy> MakeNormClipping(const wire::FederationSpec& federation) {
  return std::make_unique<NormClipping>(federation);
}

}  // namespace consilium::coordinator
