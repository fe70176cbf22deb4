// Pillutla, Kakade, Harchaoui, "Robust aggregation for federated learning", IEEE Transactions on Signal Processing 70,
// 2022, Algorithm 2 (smoothed Weiszfeld): z = argmin sum_i p_i |z - d_i| by
//   b_i = p_i / max(nu, |z - d_i|),   z <- sum_i b_i d_i / sum_i b_i.
// z is always a weighted mean of the updates, so the whole iteration runs on their inner products and the updates
// themselves are read once more for the result.  nu is relative to the median distance, so that it means the same for
// small and large models and no few sites can raise it.  Nothing is kept between rounds.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "coordinator/strategies/families.h"

namespace consilium::coordinator {
namespace {

// |z - d_i| for z = sum_j c_j d_j, sum c = 1.
std::vector<double> Distances(const GramMatrix& gram, const std::vector<double>& c) {
  const std::size_t n = c.size();
  std::vector<double> products(n), distances;  // <z, d_i>
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) products[i] += c[j] * gram.at(i, j);
  const double square = std::inner_product(c.begin(), c.end(), products.begin(), 0.0);
  for (std::size_t i = 0; i < n; ++i)
    distances.push_back(std::sqrt(std::max(0.0, square - 2 * products[i] + gram.at(i, i))));
  return distances;
}

class GeometricMedian final : public Strategy {
 public:
  explicit GeometricMedian(const wire::FederationSpec& federation) : Strategy(federation) {}
  Geometry geometry() const override { return Geometry::kInnerProducts; }

  StatusOr<FoldPlan> Plan(const PlanInput& input) const override {
    constexpr double kStill = 1e-12;  // coefficients that move less are done
    const std::vector<double> shares = SharesOf(input);
    std::vector<double> c = shares, distances = Distances(input.gram, c);
    double moved = 1;
    int steps = 0;
    for (; moved > kStill && steps < Parameter("iterations"); ++steps) {
      const double smoothing = Parameter("smoothing") * MedianOf(distances);
      if (smoothing == 0) break;  // most updates are z
      std::vector<double> next;
      for (std::size_t i = 0; i < c.size(); ++i) next.push_back(shares[i] / std::max(smoothing, distances[i]));
      const double sum = std::accumulate(next.begin(), next.end(), 0.0);
      moved = 0;
      for (std::size_t i = 0; i < c.size(); ++i) {
        next[i] /= sum;
        moved = std::max(moved, std::abs(next[i] - c[i]));
      }
      c = std::move(next);
      distances = Distances(input.gram, c);
    }
    FoldPlan plan = WeightedSum(input, std::move(c));
    plan.notes["weiszfeld_steps"] = steps;
    return plan;
  }
};

}  // namespace

std::unique_ptr<const Strategy> MakeGeometricMedian(const wire::FederationSpec& federation) {
  return std::make_unique<GeometricMedian>(federation);
}

}  // namespace consilium::coordinator
