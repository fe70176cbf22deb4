// Blanchard et al., "Machine learning with adversaries: Byzantine tolerant gradient descent", NeurIPS 2017, section 4:
// the score of an update is the sum of the squared distances to its n - f - 2 nearest others; Krum takes the update
// with the lowest score, multi-Krum the mean of the m lowest.  El Mhamdi, Guerraoui, Rouault, "The hidden vulnerability
// of distributed learning in Byzantium", ICML 2018, section 4 (Bulyan): Krum chooses theta = n - 2f updates one by one,
// then every coordinate is the mean of the theta - 2f values nearest to their median.  Nothing is kept between rounds.
//
// Krum's theorem asks for n >= 2f + 3.  Consortia are small, so fewer are allowed down to a majority of honest sites;
// at least one neighbour is looked at, and the notes say that the theorem does not hold.
#include <algorithm>
#include <numeric>

#include "coordinator/strategies/families.h"

namespace consilium::coordinator {
namespace {

// The score of each of `among`, in its order.
std::vector<double> Scores(const GramMatrix& gram, const std::vector<std::size_t>& among, std::size_t byzantine) {
  std::vector<double> scores;
  for (const std::size_t i : among) {
    std::vector<double> distances;
    for (const std::size_t j : among)
      if (j != i) distances.push_back(gram.SquaredDistance(i, j));
    std::ranges::sort(distances);
    const std::size_t wanted = among.size() > byzantine + 3 ? among.size() - byzantine - 2 : 1;
    const std::size_t neighbours = std::min(wanted, distances.size());
    scores.push_back(
        std::accumulate(distances.begin(), distances.begin() + static_cast<std::ptrdiff_t>(neighbours), 0.0));
  }
  return scores;
}

// The `count` updates of the lowest scores, in name order; of equal scores the first in name order.
std::vector<std::size_t> Lowest(const std::vector<double>& scores, std::size_t count) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  order.resize(count);
  std::ranges::sort(order);
  return order;
}

class Krum final : public Strategy {
 public:
  explicit Krum(const wire::FederationSpec& federation) : Strategy(federation) {}
  Geometry geometry() const override { return Geometry::kInnerProducts; }

  StatusOr<FoldPlan> Plan(const PlanInput& input) const override {
    const std::size_t n = input.updates.size();
    const auto byzantine = static_cast<std::size_t>(Parameter("byzantine"));
    const wire::UpdatesNeeded needed = wire::UpdatesNeededBy(spec(), federation().strategy_parameters);
    if (n < needed.count)
      return FailedPrecondition(spec().name, " needs at least ", needed.count, " updates (", needed.why,
                                "), this round has ", n);
    std::vector<std::size_t> all(n);
    std::iota(all.begin(), all.end(), 0);
    const std::vector<std::size_t> chosen = spec().name == "bulyan"
                                                ? ChooseOneByOne(input.gram, all, n - 2 * byzantine, byzantine)
                                                : Lowest(Scores(input.gram, all, byzantine), CountOf(n, byzantine));
    std::vector<double> coefficients(n);
    for (const std::size_t i : chosen) coefficients[i] = 1.0 / static_cast<double>(chosen.size());
    FoldPlan plan = WeightedSum(input, std::move(coefficients));
    if (spec().name == "bulyan") {
      plan.rule = CombineRule::kMeanAroundMedian;
      plan.keep = chosen.size() - 2 * byzantine;
    }
    std::string names;
    for (const std::size_t i : chosen) names += (names.empty() ? "" : ",") + input.updates[i].site.value();
    plan.notes["selected"] = names;
    plan.notes["theorem_holds"] = n >= 2 * byzantine + 3;
    return plan;
  }

 private:
  std::size_t CountOf(std::size_t n, std::size_t byzantine) const {
    if (spec().name == "krum") return 1;
    const auto select = static_cast<std::size_t>(Parameter("select"));
    return select > 0 ? select : n - byzantine;
  }

  static std::vector<std::size_t> ChooseOneByOne(const GramMatrix& gram, std::vector<std::size_t> left,
                                                 std::size_t count, std::size_t byzantine) {
    std::vector<std::size_t> chosen;
    while (chosen.size() < count) {
      const std::size_t best = Lowest(Scores(gram, left, byzantine), 1).front();
      chosen.push_back(left[best]);
      left.erase(left.begin() + static_cast<std::ptrdiff_t>(best));
    }
    std::ranges::sort(chosen);
    return chosen;
  }
};

}  // namespace

std::unique_ptr<const Strategy> MakeKrum(const wire::FederationSpec& federation) {
  return std::make_unique<Krum>(federation);
}

}  // namespace consilium::coordinator
