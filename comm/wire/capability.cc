#include "comm/wire/capability.h"

#include <algorithm>

#include "comm/base/status.h"
#include "comm/wire/apply_plan.h"
#include "comm/wire/job.h"

namespace consilium::wire {

namespace {

// "" for what every site can do.
std::string FeatureOf(LocalMethod method) {
  switch (method) {
    case LocalMethod::kPlain:
      return "";
    case LocalMethod::kProximal:
      return "local:proximal";
    case LocalMethod::kScaffold:
      return "local:scaffold";
    case LocalMethod::kFedDyn:
      return "local:feddyn";
    case LocalMethod::kDitto:
      return "personalization";
  }
  return "";
}

}  // namespace

std::set<std::string> FeaturesOfThisBuild() {
  std::set<std::string> features = {"async",    "auxiliary",      kBeaconFeature,       "compression",
                                    "delta",    "local_momentum", "personal",           "personalization",
                                    "planning", "record_privacy", "secure_aggregation", "site_privacy",
                                    "validate"};
  for (const StrategySpec& strategy : Strategies()) {
    features.insert(FeatureOf(strategy.local));
    if (!strategy.metric.empty()) features.insert("metric:" + std::string(strategy.metric));
  }
  features.erase("");
  return features;
}

std::set<std::string> FeaturesNeeded(const JobSpec& job) {
  std::set<std::string> needed;
  if (!job.has_federation) return needed;
  if (job.record_privacy.enabled) needed.insert("record_privacy");
  if (job.site_privacy.enabled) needed.insert("site_privacy");
  const FederationSpec& federation = job.federation;
  const StrategySpec* strategy = FindStrategy(federation.strategy);
  CONSILIUM_CHECK(strategy != nullptr, federation.strategy);
  needed.insert(FeatureOf(strategy->local));
  needed.erase("");
  if (!strategy->metric.empty()) needed.insert("metric:" + std::string(strategy->metric));
  if (!strategy->aux_down.empty()) needed.insert("auxiliary");
  if (strategy->update == UpdateKind::kDelta) needed.insert("delta");
  const bool validates = federation.evaluate_every > 0 && federation.evaluate_on == EvaluateOn::kValidation;
  if (validates || federation.cross_site) needed.insert("validate");
  if (federation.secure.enabled) needed.insert({"delta", "secure_aggregation"});
  const auto sites_min = static_cast<std::size_t>(federation.sites_min);
  if (NeedsBeacon(federation.secure, std::max(sites_min, federation.sites.size()))) needed.insert(kBeaconFeature);
  if (federation.compression.scheme != tensor::Compression::kNone) needed.insert("compression");
  if (federation.local_momentum == LocalMomentum::kReset) needed.insert("local_momentum");
  if (!federation.personal.empty()) needed.insert("personal");
  if (federation.personalization.method != PersonalizationMethod::kNone) needed.insert("personalization");
  if (NeedsPlan(job)) needed.insert("planning");
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
