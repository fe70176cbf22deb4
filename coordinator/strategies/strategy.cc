#include "coordinator/strategies/strategy.h"

#include <algorithm>

#include "coordinator/strategies/families.h"

namespace consilium::coordinator {
namespace {

struct Family {
  std::string_view name;
  std::unique_ptr<const Strategy> (*make)(const wire::FederationSpec&);
};

constexpr Family kFamilies[] = {
    {"fedavg", MakeFedAvg},
    {"fedavgm", MakeFedAvgM},
    {"fedprox", MakeFedAvg},
    {"fedadam", MakeAdaptive},
    {"fedyogi", MakeAdaptive},
    {"fedadagrad", MakeAdaptive},
    {"scaffold", MakeScaffold},
    {"fednova", MakeFedNova},
    {"feddyn", MakeFedDyn},
    {"qfedavg", MakeQFedAvg},
    {"fedbuff", MakeFedBuff},
    {"median", MakeOrderStatistic},
    {"trimmed_mean", MakeOrderStatistic},
    {"krum", MakeKrum},
    {"multi_krum", MakeKrum},
    {"bulyan", MakeKrum},
    {"geometric_median", MakeGeometricMedian},
    {"norm_clipping", MakeNormClipping},
    {"ditto", MakeFedAvg},
    {"clustered", MakeClustered},
    {"mixing", MakeMixing},
};

}  // namespace

Strategy::Strategy(const wire::FederationSpec& federation)
    : federation_(federation), spec_(wire::FindStrategy(federation.strategy)) {
  CONSILIUM_CHECK(spec_ != nullptr, "strategy ", federation.strategy);
}

void Strategy::Step(const FoldPlan&, const ServerTile& tile) const {
  if (spec_->update == wire::UpdateKind::kWeights) {
    std::ranges::copy(tile.combined, tile.model.begin());
    return;
  }
  for (std::size_t i = 0; i < tile.model.size(); ++i)
    tile.model[i] = static_cast<double>(tile.global[i]) + tile.combined[i];
}

std::unique_ptr<const Strategy> MakeStrategy(const wire::FederationSpec& federation) {
  const auto* family = std::ranges::find(kFamilies, federation.strategy, &Family::name);
  CONSILIUM_CHECK(family != std::end(kFamilies), "strategy ", federation.strategy);
  return family->make(federation);
}

std::vector<double> SharesOf(const PlanInput& input) {
  std::vector<double> weights;
  for (const UpdateFacts& update : input.updates) weights.push_back(update.weight);
  return SharesOf(weights);
}

std::vector<double> EqualShares(const PlanInput& input) {
  return std::vector<double>(input.updates.size(), 1.0 / static_cast<double>(input.updates.size()));
}

FoldPlan WeightedSum(const PlanInput& input, std::vector<double> coefficients) {
  FoldPlan plan{.coefficients = std::move(coefficients)};
  plan.participation = static_cast<double>(input.updates.size()) /
                       static_cast<double>(std::max(input.sites.size(), input.updates.size()));
  return plan;
}

StatusOr<std::vector<double>> MetricOf(const PlanInput& input, const std::string& metric, double min, double max) {
  std::vector<double> values;
  for (const UpdateFacts& update : input.updates) {
    const auto found = update.metrics.find(metric);
    if (found == update.metrics.end())
      return FailedPrecondition("site '", update.site, "' sent no '", metric, "' with its update");
    if (!(found->second >= min && found->second <= max))
      return FailedPrecondition("site '", update.site, "' sent '", metric, "' = ", found->second,
                                "; it must be between ", min, " and ", max);
    values.push_back(found->second);
  }
  return values;
}

double MedianOf(std::vector<double> values) {
  CONSILIUM_CHECK(!values.empty(), "the median of nothing");
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace consilium::coordinator
