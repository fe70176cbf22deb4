// Strategies whose sites correct their own drift; the server keeps the mean of what they correct by.
//
// Both papers weigh sites equally.  With shares p_i the sums below are over p_i, which at full participation and with
// constant weights minimises sum_i p_i f_i, as theirs minimises the plain mean.
#include "coordinator/strategies/families.h"

namespace consilium::coordinator {
namespace {

// Karimireddy et al., "SCAFFOLD: stochastic controlled averaging for federated learning", ICML 2020, Algorithm 1:
//   x <- x + lr sum_i p_i d_i,   c <- c + (n/N) sum_i p_i (c_i' - c_i).
// Keeps c, which is also what the sites get with the model.
class Scaffold final : public Strategy {
 public:
  explicit Scaffold(const wire::FederationSpec& federation) : Strategy(federation) {}
  std::vector<StateTensor> state() const override { return {{"control"}}; }
  StatusOr<FoldPlan> Plan(const PlanInput& input) const override {
    const std::vector<double> shares = SharesOf(input);
    FoldPlan plan = WeightedSum(input, shares);
    plan.auxiliary_coefficients = shares;
    for (double& coefficient : plan.coefficients) coefficient *= Parameter("server_learning_rate");
    for (double& coefficient : plan.auxiliary_coefficients) coefficient *= plan.participation;
    return plan;
  }
  void Step(const FoldPlan& plan, const ServerTile& tile) const override {
    Strategy::Step(plan, tile);
    for (std::size_t i = 0; i < tile.model.size(); ++i) tile.state[0][i] += tile.auxiliary[i];
  }
};

// Acar et al., "Federated learning based on dynamic regularization", ICLR 2021, Algorithm 1:
//   h <- h - alpha (n/N) sum_i p_i d_i,   x <- sum_i p_i y_i - h / alpha.
// Keeps h / alpha, so that alpha, which is the sites' affair, cancels here.
class FedDyn final : public Strategy {
 public:
  explicit FedDyn(const wire::FederationSpec& federation) : Strategy(federation) {}
  std::vector<StateTensor> state() const override { return {{"h_over_alpha"}}; }
  StatusOr<FoldPlan> Plan(const PlanInput& input) const override { return WeightedSum(input, SharesOf(input)); }
  void Step(const FoldPlan& plan, const ServerTile& tile) const override {
    const std::span<double> h = tile.state[0];
    for (std::size_t i = 0; i < h.size(); ++i) {
      h[i] -= plan.participation * tile.combined[i];
      tile.model[i] = static_cast<double>(tile.global[i]) + tile.combined[i] - h[i];
    }
  }
};

}  // namespace

std::unique_ptr<const Strategy> MakeScaffold(const wire::FederationSpec& federation) {
  return std::make_unique<Scaffold>(federation);
}
std::unique_ptr<const Strategy> MakeFedDyn(const wire::FederationSpec& federation) {
  return std::make_unique<FedDyn>(federation);
}

}  // namespace consilium::coordinator
