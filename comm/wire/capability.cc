#include "comm/wire/capability.h"

#include "comm/base/status.h"
#include "comm/wire/job.h"

namespace consilium::wire {

namespace {

void AddStrategyFeatures(const StrategySpec& strategy, std::set<std::string>* features) {
  if (strategy.local != LocalMethod::kPlain) features->insert("local:" + std::string(strategy.name));
  if (!strategy.aux_down.empty()) features->insert("auxiliary");
  if (!strategy.metric.empty()) features->insert("metric:" + std::string(strategy.metric));
}

}  // namespace

std::set<std::string> FeaturesOfThisBuild() {
  std::set<std::string> features = {"compression", "validate"};
  for (const StrategySpec& strategy : Strategies())
    if (strategy.built) AddStrategyFeatures(strategy, &features);
  return features;
}

std::set<std::string> FeaturesNeeded(const JobSpec& job) {
  std::set<std::string> needed;
  if (!job.has_federation) return needed;
  const FederationSpec& federation = job.federation;
  if (const StrategySpec* strategy = FindStrategy(federation.strategy)) AddStrategyFeatures(*strategy, &needed);
  if (federation.compression.scheme != tensor::Compression::kNone) needed.insert("compression");
  const bool validates = federation.evaluate_every > 0 && federation.evaluate_on == EvaluateOn::kValidation;
  if (validates || federation.cross_site) needed.insert("validate");
  return needed;
}

std::string WhyUnfit(const Capability& site, const std::set<std::string>& needed) {
  std::string lacking;
  for (const std::string& feature : needed)
    if (!site.features.contains(feature)) lacking += (lacking.empty() ? "" : ", ") + feature;
  if (lacking.empty()) return "";
  return Concat("its software", site.trainer.empty() ? std::string() : " (" + site.trainer + ")", " lacks ", lacking);
}

}  // namespace consilium::wire
