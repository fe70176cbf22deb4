#include "coordinator/core/round_metrics.h"

#include <algorithm>
#include <cmath>

#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {
namespace {

template <typename Updates>
Json WeightedMeans(const Updates& updates) {
  struct Sum {
    double value = 0, weight = 0, largest = 0;
  };
  std::map<std::string, Sum> sums;
  for (const auto& [key, update] : updates)
    for (const auto& [name, value] : update.metrics) {
      if (!std::isfinite(value)) continue;
      Sum& sum = sums[name];
      sum.value += update.weight * value, sum.weight += update.weight, sum.largest = std::max(sum.largest, value);
    }
  Json means = Json::object();
  // A patient is at one site: what protects everybody is the largest epsilon, and no mean of them.
  for (const auto& [name, sum] : sums) means[name] = name.starts_with("epsilon") ? sum.largest : sum.value / sum.weight;
  return means;
}

}  // namespace

std::optional<Json> RoundMetrics::Apply(const Record& record) {
  if (std::holds_alternative<RoundOpened>(record)) updates_.clear(), masked_.clear(), unmasking_.clear();
  if (const auto* began = std::get_if<UnmaskingBegan>(&record)) unmasking_ = began->vectors;
  const auto* group = std::get_if<GroupSettled>(&record);
  if (group != nullptr && !group->why_not.empty()) unmasking_.clear();  // nothing comes of it
  if (group != nullptr || std::holds_alternative<RoundClosed>(record)) masked_.merge(unmasking_), unmasking_.clear();
  if (const auto* update = std::get_if<UpdateAccepted>(&record)) updates_[{update->site, update->task}] = *update;
  if (const auto* lost = std::get_if<UpdateWithdrawn>(&record)) updates_.erase({lost->site, lost->task});
  if (const auto* closed = std::get_if<RoundClosed>(&record)) closed_ = *closed;
  const auto* published = std::get_if<ModelPublished>(&record);
  if (published == nullptr) return std::nullopt;
  double weight = 0;
  Json sites = Json::object();
  for (const auto& [key, update] : updates_) {  // of a site with several (mode async), the last one is shown
    weight += update.weight;
    sites[update.site.value()] = {{"weight", update.weight},
                                  {"bytes", update.update.bytes},
                                  {"seconds", update.seconds},
                                  {"metrics", MetricsJson(update.metrics)}};
  }
  Json line = {{"round", ToInt(published->round)},
               {"contributors", NamesJson(closed_.contributors)},
               {"missing", NamesJson(closed_.missing)},
               {"closed", CloseReasonName(closed_.reason)},
               {"weight", weight},
               {"model", published->model.digest.ToHex()},
               {"parameters", published->parameters.ToHex()},
               {"mean", WeightedMeans(updates_)},
               {"sites", std::move(sites)}};
  for (const auto& [site, masked] : masked_)
    line["sites"][site.value()] = {{"bytes", masked.vector.bytes}, {"seconds", masked.seconds}};
  Json notes = Json::parse(published->notes, nullptr, false);
  if (!masked_.empty() && notes.is_object()) {
    line["weight"] = notes.value("secure_weight", 0.0);
    line["mean"].update(SummedMetrics(notes));
  }
  if (notes.contains("privacy")) line["privacy"] = notes["privacy"], notes.erase("privacy");
  if (notes.contains("groups")) line["groups"] = notes["groups"], notes.erase("groups");
  if (notes.is_object() && !notes.empty()) line["strategy"] = notes;
  return line;
}

}  // namespace consilium::coordinator
