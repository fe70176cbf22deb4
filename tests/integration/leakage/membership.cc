#include "tests/integration/leakage/membership.h"

namespace consilium::attacks {

double AreaUnderCurve(const std::vector<double>& members, const std::vector<double>& others) {
  double above = 0;
  for (const double member : members)
    for (const double other : others) above += member > other ? 1 : member == other ? 0.5 : 0;
  return above / (static_cast<double>(members.size()) * static_cast<double>(others.size()));
}

std::vector<double> LossScores(const torch::Tensor& losses_before, const torch::Tensor& losses_after) {
  const torch::Tensor fallen = (losses_before - losses_after).to(torch::kFloat64).contiguous();
  return {fallen.data_ptr<double>(), fallen.data_ptr<double>() + fallen.numel()};
}

}  // namespace consilium::attacks
