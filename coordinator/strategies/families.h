// The families of strategies, for strategy.cc alone: one factory a family, by name of the catalogue.
#pragma once

#include "coordinator/core/fold.h"
#include "coordinator/strategies/strategy.h"

namespace consilium::coordinator {

// fedavg, fedprox, ditto: the same mean at the server.
std::unique_ptr<const Strategy> MakeFedAvg(const wire::FederationSpec& federation);
std::unique_ptr<const Strategy> MakeFedNova(const wire::FederationSpec& federation);
std::unique_ptr<const Strategy> MakeQFedAvg(const wire::FederationSpec& federation);
std::unique_ptr<const Strategy> MakeFedBuff(const wire::FederationSpec& federation);
std::unique_ptr<const Strategy> MakeFedAvgM(const wire::FederationSpec& federation);
// fedadam, fedyogi, fedadagrad.
std::unique_ptr<const Strategy> MakeAdaptive(const wire::FederationSpec& federation);
std::unique_ptr<const Strategy> MakeScaffold(const wire::FederationSpec& federation);
std::unique_ptr<const Strategy> MakeFedDyn(const wire::FederationSpec& federation);
// median, trimmed_mean.
std::unique_ptr<const Strategy> MakeOrderStatistic(const wire::FederationSpec& federation);
// krum, multi_krum, bulyan.
std::unique_ptr<const Strategy> MakeKrum(const wire::FederationSpec& federation);
std::unique_ptr<const Strategy> MakeGeometricMedian(const wire::FederationSpec& federation);
std::unique_ptr<const Strategy> MakeNormClipping(const wire::FederationSpec& federation);
std::unique_ptr<const Strategy> MakeClustered(const wire::FederationSpec& federation);
std::unique_ptr<const Strategy> MakeMixing(const wire::FederationSpec& federation);

// p_i: the contributors' weights divided by their sum.
std::vector<double> SharesOf(const PlanInput& input);
// 1/n for every contributor.
std::vector<double> EqualShares(const PlanInput& input);
// A plan of one weighted sum, with participation filled in.
FoldPlan WeightedSum(const PlanInput& input, std::vector<double> coefficients);
// The metric of every contributor, each a number in [min, max]; FailedPrecondition names the site whose is not.
StatusOr<std::vector<double>> MetricOf(const PlanInput& input, const std::string& metric, double min, double max);
// The mean of the middle two for an even number; at least one value.
double MedianOf(std::vector<double> values);

}  // namespace consilium::coordinator
