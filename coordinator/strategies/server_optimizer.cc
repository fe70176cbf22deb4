// The mean update d = sum_i p_i d_i in place of a gradient, and an optimizer at the server.
#include <cmath>

#include "coordinator/strategies/families.h"

namespace consilium::coordinator {
namespace {

// Hsu, Qi, Brown, "Measuring the effects of non-identical data distribution for federated visual classification", 2019,
// section 4.3: v <- beta v + d, x <- x + lr v.  Keeps v.
class FedAvgM final : public Strategy {
 public:
  explicit FedAvgM(const wire::FederationSpec& federation) : Strategy(federation) {}
  std::vector<StateTensor> state() const override { return {{"momentum"}}; }
  StatusOr<FoldPlan> Plan(const PlanInput& input) const override { return WeightedSum(input, SharesOf(input)); }
  void Step(const FoldPlan&, const ServerTile& tile) const override {
    const double rate = Parameter("server_learning_rate"), beta = Parameter("momentum");
    const std::span<double> v = tile.state[0];
    for (std::size_t i = 0; i < v.size(); ++i) {
      v[i] = beta * v[i] + tile.combined[i];
      tile.model[i] = static_cast<double>(tile.global[i]) + rate * v[i];
    }
  }
};

// Reddi et al., "Adaptive federated optimization", ICLR 2021, Algorithm 2:
//   m <- beta1 m + (1 - beta1) d,   v as below from v = tau^2,   x <- x + eta m / (sqrt(v) + tau).
// Without bias correction, as in the paper.  Keeps m and v.
enum class Accumulator { kAdam, kYogi, kAdagrad };

class Adaptive final : public Strategy {
 public:
  Adaptive(const wire::FederationSpec& federation, Accumulator accumulator)
      : Strategy(federation), accumulator_(accumulator) {}
  std::vector<StateTensor> state() const override {
    const double tau = Parameter("tau");
    return {{"mean"}, {"mean_square", tau * tau}};
  }
  StatusOr<FoldPlan> Plan(const PlanInput& input) const override { return WeightedSum(input, SharesOf(input)); }
  void Step(const FoldPlan&, const ServerTile& tile) const override {
    const double rate = Parameter("server_learning_rate"), beta1 = Parameter("beta1"), tau = Parameter("tau");
    const double beta2 = accumulator_ == Accumulator::kAdagrad ? 1.0 : Parameter("beta2");
    const std::span<double> m = tile.state[0], v = tile.state[1];
    for (std::size_t i = 0; i < m.size(); ++i) {
      const double d = tile.combined[i], square = d * d;
      m[i] = beta1 * m[i] + (1 - beta1) * d;
      switch (accumulator_) {
        case Accumulator::kAdam:
          v[i] = beta2 * v[i] + (1 - beta2) * square;
          break;
        case Accumulator::kYogi:
          v[i] -= (1 - beta2) * square * ((v[i] > square) - (v[i] < square));
          break;
        case Accumulator::kAdagrad:
          v[i] += square;
          break;
      }
      tile.model[i] = static_cast<double>(tile.global[i]) + rate * m[i] / (std::sqrt(v[i]) + tau);
    }
  }

 private:
  const Accumulator accumulator_;
};

}  // namespace

std::unique_ptr<const Strategy> MakeFedAvgM(const wire::FederationSpec& federation) {
  return std::make_unique<FedAvgM>(federation);
}
std::unique_ptr<const Strategy> MakeAdaptive(const wire::FederationSpec& federation) {
  const Accumulator accumulator = federation.strategy == "fedadam"   ? Accumulator::kAdam
                                  : federation.strategy == "fedyogi" ? Accumulator::kYogi
                                                                     : Accumulator::kAdagrad;
  return std::make_unique<Adaptive>(federation, accumulator);
}

}  // namespace consilium::coordinator
