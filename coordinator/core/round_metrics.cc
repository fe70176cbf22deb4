#include "coordinator/core/round_metrics.h"

#include <cmath>

#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {
namespace {

Json WeightedMeans(const std::map<SiteName, UpdateAccepted>& updates) {
  struct Sum {
    double value = 0, weight = 0;
  };
  std::map<std::string, Sum> sums;
  for (const auto& [site, update] : updates)
    for (const auto& [name, value] : update.metrics)
      if (std::isfinite(value)) sums[name].value += update.weight * value, sums[name].weight += update.weight;
  Json means = Json::object();
  for (const auto& [name, sum] : sums) means[name] = sum.value / sum.weight;
  return means;
}

}  // namespace

std::optional<Json> RoundMetrics::Apply(const Record& record) {
  if (std::holds_alternative<RoundOpened>(record)) updates_.clear();
  if (const auto* update = std::get_if<UpdateAccepted>(&record)) updates_[update->site] = *update;
  if (const auto* closed = std::get_if<RoundClosed>(&record)) closed_ = *closed;
  const auto* published = std::get_if<ModelPublished>(&record);
  if (published == nullptr) return std::nullopt;
  double weight = 0;
  Json sites = Json::object();
  for (const auto& [site, update] : updates_) {
    weight += update.weight;
    sites[site.value()] = {
        {"weight", update.weight}, {"bytes", update.update.bytes}, {"metrics", MetricsJson(update.metrics)}};
  }
  return Json{{"round", ToInt(published->round)},         {"contributors", NamesJson(closed_.contributors)},
              {"missing", NamesJson(closed_.missing)},    {"weight", weight},
              {"model", published->model.digest.ToHex()}, {"parameters", published->parameters.ToHex()},
              {"mean", WeightedMeans(updates_)},          {"sites", std::move(sites)}};
}

}  // namespace consilium::coordinator
