#include "trainer/loop/pseudo_dice.h"

#include <cmath>
#include <limits>

namespace consilium::trainer {

torch::Tensor CountOverlap(const torch::Tensor& logits, const torch::Tensor& target) {
  const std::int64_t classes = logits.size(1);
  // One histogram of (true class, predicted class) pairs instead of a pass a class.
  const torch::Tensor pairs = (target * classes + logits.argmax(1)).flatten();
  const torch::Tensor table = torch::bincount(pairs, {}, classes * classes)
                                  .to(torch::kCPU, torch::kFloat64)
                                  .reshape({classes, classes});  // [true, predicted]
  const torch::Tensor true_positive = table.diagonal();
  const torch::Tensor counts =
      torch::stack({true_positive, table.sum(0) - true_positive, table.sum(1) - true_positive});
  return counts.slice(1, 1).contiguous();
}

std::vector<double> PseudoDice(const torch::Tensor& counts) {
  std::vector<double> dice;
  const auto at = counts.accessor<double, 2>();
  for (std::int64_t i = 0; i < counts.size(1); ++i) {
    const double overlap = 2 * at[0][i], total = overlap + at[1][i] + at[2][i];
    dice.push_back(total > 0 ? overlap / total : std::numeric_limits<double>::quiet_NaN());
  }
  return dice;
}

double MeanOfDefined(const std::vector<double>& values) {
  double sum = 0;
  int defined = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++defined;
  }
  return defined > 0 ? sum / defined : std::numeric_limits<double>::quiet_NaN();
}

std::optional<double> UpdateEma(std::optional<double> before, double value) {
  if (std::isnan(value)) return before;
  return before ? 0.9 * *before + 0.1 * value : value;
}

}  // namespace consilium::trainer
