// One model per site, x_i <- sum_j W_ij y_j with rows that sum to 1: the mixing matrices of decentralised learning
// (Lian et al., "Can decentralized algorithms outperform centralized algorithms?", NeurIPS 2017).  W is given by the
// job (a graph of who learns from whom), or made as in Huang et al., "Personalized cross-silo federated learning on
// non-IID data", AAAI 2021, eq. 11 (HeurFedAMP): W_ii = self_weight, the others proportional to
// p_j exp(similarity * cos(d_i, d_j)).  With similarity 0, W_i = self_weight e_i + (1 - self_weight) p: identity is
// local training, self_weight 0 is FedAvg.  The global model is the weighted mean of all.  Nothing is kept between
// rounds; a site that did not contribute keeps the model that it has.
#include <algorithm>
#include <cmath>

#include "coordinator/strategies/families.h"

namespace consilium::coordinator {
namespace {

class Mixing final : public Strategy {
 public:
  explicit Mixing(const wire::FederationSpec& federation) : Strategy(federation) {}
  Geometry geometry() const override {
    const bool looks = federation().strategy_matrix.empty() && Parameter("similarity") > 0;
    return looks ? Geometry::kInnerProducts : Geometry::kNone;
  }

  StatusOr<FoldPlan> Plan(const PlanInput& input) const override {
    FoldPlan plan = WeightedSum(input, SharesOf(input));
    const std::vector<double> shares = plan.coefficients;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      std::vector<double> row = federation().strategy_matrix.empty() ? MadeRow(input, shares, i) : GivenRow(input, i);
      if (row.empty()) continue;
      const auto same = std::ranges::find(plan.mixes, row, &Mix::coefficients);
      if (same != plan.mixes.end()) {
        same->sites.push_back(input.updates[i].site);
      } else {
        plan.mixes.push_back({.sites = {input.updates[i].site}, .coefficients = std::move(row)});
      }
    }
    plan.notes["models"] = plan.mixes.size();
    return plan;
  }

 private:
  std::vector<double> MadeRow(const PlanInput& input, const std::vector<double>& shares, std::size_t i) const {
    const double self = Parameter("self_weight"), similarity = Parameter("similarity");
    if (similarity == 0 || shares.size() == 1) {
      std::vector<double> row;
      for (const double share : shares) row.push_back((1 - self) * share);
      row[i] += self;
      return row;
    }
    std::vector<double> row(shares.size());
    double sum = 0;
    for (std::size_t j = 0; j < shares.size(); ++j) {
      if (j == i) continue;
      row[j] = shares[j] * std::exp(similarity * (input.gram.Cosine(i, j) - 1));  // - 1: no overflow, same ratios
      sum += row[j];
    }
    for (double& weight : row) weight = sum > 0 ? weight / sum * (1 - self) : 0.0;
    row[i] = sum > 0 ? self : 1.0;  // all others are infinitely unlike it
    return row;
  }

  // Over the contributors of this round; empty when the row names none of them, or the job has no row for the site.
  std::vector<double> GivenRow(const PlanInput& input, std::size_t i) const {
    const auto given = federation().strategy_matrix.find(input.updates[i].site.value());
    if (given == federation().strategy_matrix.end()) return {};
    std::vector<double> row;
    double sum = 0;
    for (const UpdateFacts& update : input.updates) {
      const auto weight = given->second.find(update.site.value());
      row.push_back(weight == given->second.end() ? 0.0 : weight->second);
      sum += row.back();
    }
    if (!(sum > 0)) return {};
    for (double& weight : row) weight /= sum;
    return row;
  }
};

}  // namespace

std::unique_ptr<const Strategy> MakeMixing(const wire::FederationSpec& federation) {
  return std::make_unique<Mixing>(federation);
}

}  // namespace consilium::coordinator
