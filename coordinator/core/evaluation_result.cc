#include "coordinator/core/evaluation_result.h"

#include <cmath>

namespace consilium::coordinator {

wire::Metrics EvaluationResult::Mean(const std::string& subject) const {
  struct Sum {
    double value = 0, weight = 0;
  };
  const auto found = metrics.find(subject);
  if (found == metrics.end()) return {};
  std::map<std::string, Sum> sums;
  double cases = 0;
  for (const auto& [site, values] : found->second) {
    const auto said = values.find("cases");
    const bool usable = said != values.end() && std::isfinite(said->second) && said->second > 0;
    const double weight = usable ? said->second : 1;
    cases += weight;
    for (const auto& [name, value] : values)
      if (std::isfinite(value)) sums[name].value += weight * value, sums[name].weight += weight;
  }
  wire::Metrics means;
  for (const auto& [name, sum] : sums) means[name] = sum.value / sum.weight;
  if (means.contains("cases")) means["cases"] = cases;
  return means;
}

}  // namespace consilium::coordinator
