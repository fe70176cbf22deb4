// Weighted sums of updates: what differs is the coefficients.  None of them keeps anything between rounds.
#include <algorithm>
#include <cmath>

#include "coordinator/strategies/families.h"

namespace consilium::coordinator {
namespace {

// McMahan et al., "Communication-efficient learning of deep networks from decentralized data", AISTATS 2017, Algorithm
// 1: x <- sum_i p_i y_i.  FedProx (Li et al., MLSys 2020, Algorithm 2) and Ditto (Li et al., ICML 2021, Algorithm 1)
// change what the sites do, not this.
class FedAvg final : public Strategy {
 public:
  explicit FedAvg(const wire::FederationSpec& federation) : Strategy(federation) {}
  StatusOr<FoldPlan> Plan(const PlanInput& input) const override { return WeightedSum(input, SharesOf(input)); }
};

// Wang et al., "Tackling the objective inconsistency problem in heterogeneous federated optimization", NeurIPS 2020,
// eq. 6: x <- x + lr * tau_eff * sum_i p_i d_i / tau_i, tau_eff = sum_i p_i tau_i, where tau_i = |a_i|_1 is the site's
// effective number of local steps (for plain SGD the number of steps).
class FedNova final : public Strategy {
 public:
  explicit FedNova(const wire::FederationSpec& federation) : Strategy(federation) {}
  StatusOr<FoldPlan> Plan(const PlanInput& input) const override {
    ASSIGN_OR_RETURN(const std::vector<double> taus, MetricOf(input, "tau", 1e-9, 1e15));
    std::vector<double> coefficients = SharesOf(input);
    double effective = 0;
    for (std::size_t i = 0; i < taus.size(); ++i) effective += coefficients[i] * taus[i];
    for (std::size_t i = 0; i < taus.size(); ++i)
      coefficients[i] *= Parameter("server_learning_rate") * (effective / taus[i]);
    FoldPlan plan = WeightedSum(input, std::move(coefficients));
    plan.notes["tau_effective"] = effective;
    return plan;
  }
};

// Li et al., "Fair resource allocation in federated learning", ICLR 2020, Algorithm 2 (q-FedAvg), with the sites'
// shares in place of the paper's sampling by p_i.  With F_i the loss of x at site i and D_i = L (x - y_i):
//   x <- x - sum_i p_i F_i^q D_i / sum_i p_i h_i,   h_i = q F_i^(q-1) |D_i|^2 + L F_i^q.
class QFedAvg final : public Strategy {
 public:
  explicit QFedAvg(const wire::FederationSpec& federation) : Strategy(federation) {}
  Geometry geometry() const override { return Geometry::kNorms; }
  StatusOr<FoldPlan> Plan(const PlanInput& input) const override {
    // A loss of 0 is lifted to 10^-10, as in the authors' program: F^(q-1) has a pole there for q < 1.
    constexpr double kLossMin = 1e-10;
    ASSIGN_OR_RETURN(std::vector<double> losses, MetricOf(input, "loss_before", 0, 1e30));
    for (double& loss : losses) loss = std::max(loss, kLossMin);
    const double largest = *std::ranges::max_element(losses);
    const double q = Parameter("q"), lipschitz = Parameter("lipschitz");
    if (lipschitz == 0) return FailedPrecondition("qfedavg needs a lipschitz above 0, or a train.learning_rate");
    std::vector<double> coefficients = SharesOf(input);
    double sum = 0;  // both sums are divided by largest^q, so that no power overflows
    for (std::size_t i = 0; i < losses.size(); ++i) {
      const double ratio = losses[i] / largest, power = std::pow(ratio, q);
      const double change = lipschitz * input.gram.Norm(i);
      sum += coefficients[i] * (q * (power / losses[i]) * change * change + lipschitz * power);
      coefficients[i] *= lipschitz * power;
    }
    for (double& coefficient : coefficients) coefficient /= sum;
    return WeightedSum(input, std::move(coefficients));
  }
};

// Nguyen et al., "Federated learning with buffered asynchronous aggregation", AISTATS 2022, Algorithm 1:
// x <- x + lr * sum_i p_i s_i d_i over the K updates of the buffer, s_i = (1 + staleness_i)^-a, a = 1/2 in the paper.
// The sum is not divided by sum s_i: a round of old updates is a small step.
class FedBuff final : public Strategy {
 public:
  explicit FedBuff(const wire::FederationSpec& federation) : Strategy(federation) {}
  StatusOr<FoldPlan> Plan(const PlanInput& input) const override {
    const double oldest = Parameter("staleness_max");
    double counted = 0, staleness_mean = 0;
    for (const UpdateFacts& update : input.updates)
      if (update.staleness <= oldest) counted += update.weight;
    if (counted == 0) return FailedPrecondition("all updates are more than ", oldest, " rounds old");
    std::vector<double> coefficients;
    for (const UpdateFacts& update : input.updates) {
      const double share = update.staleness <= oldest ? update.weight / counted : 0.0;
      const double discount = std::pow(1.0 + update.staleness, -Parameter("staleness_exponent"));
      coefficients.push_back(Parameter("server_learning_rate") * share * discount);
      staleness_mean += share * update.staleness;
    }
    FoldPlan plan = WeightedSum(input, std::move(coefficients));
    plan.notes["staleness_mean"] = staleness_mean;
    return plan;
  }
};

}  // namespace

std::unique_ptr<const Strategy> MakeFedAvg(const wire::FederationSpec& federation) {
  return std::make_unique<FedAvg>(federation);
}
std::unique_ptr<const Strategy> MakeFedNova(const wire::FederationSpec& federation) {
  return std::make_unique<FedNova>(federation);
}
std::unique_ptr<const Strategy> MakeQFedAvg(const wire::FederationSpec& federation) {
  return std::make_unique<QFedAvg>(federation);
}
std::unique_ptr<const Strategy> MakeFedBuff(const wire::FederationSpec& federation) {
  return std::make_unique<FedBuff>(federation);
}

}  // namespace consilium::coordinator
