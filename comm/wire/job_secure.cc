#include "comm/wire/job_secure.h"

#include <algorithm>

#include "comm/wire/apply_plan.h"

namespace consilium::wire {
namespace {

constexpr std::size_t kCompleteMax = 64;  // secagg::kCompleteMax; a test holds them equal

// Why a strategy cannot work from the sum alone; "" when it can.
std::string WhyNotFromASum(const StrategySpec& spec) {
  if (spec.name == "fedbuff") return "it takes updates one by one as they come, and a sum needs a cohort";
  if (!spec.aux_up.empty()) return Concat("its sites upload '", spec.aux_up, "' beside the update");
  if (!spec.metric.empty()) return Concat("it needs each site's '", spec.metric, "'");
  if (spec.several_models) return "it makes different models from single updates";
  for (const char* looks : {"median", "trimmed_mean", "krum", "multi_krum", "bulyan", "geometric_median"})
    if (spec.name == looks) return "it compares single updates, and the coordinator sees none";
  if (spec.name == "norm_clipping") return "it looks at the norms of single updates, and the coordinator sees none";
  for (const char* sums : {"fedavg", "fedavgm", "fedprox", "fedadam", "fedyogi", "fedadagrad", "ditto"})
    if (spec.name == sums) return "";
  return "nobody has shown yet that the weighted mean is all that it needs";
}

}  // namespace

bool NeedsBeacon(const SecureSpec& secure, std::size_t sites) { return secure.enabled && sites > kCompleteMax; }

void ReadSecure(ConfigReader& federation, SecureSpec* secure) {
  federation.ReadMap("secure_aggregation", [&](ConfigReader& reader) {
    reader.Read("enabled", &secure->enabled);
    reader.Read("min_cohort", &secure->min_cohort, Rule<std::int64_t>([](const std::int64_t& sites) {
                  if (sites >= 3 && sites <= kSecureSitesMax) return std::string();
                  return Concat("3 to ", kSecureSitesMax, " sites (the sum of two shows either of them the other)");
                }));
    reader.Read("clip", &secure->clip, Between(1e-9, 1e9));
    reader.Read("examples_max", &secure->examples_max, Between<std::int64_t>(1, 1'000'000'000));
  });
}

Status ResolveSecure(const ConfigNode& root, JobSpec* job) {
  FederationSpec& federation = job->federation;
  const ConfigNode node = root["federation"];
  const auto at = [&](const ConfigNode& place) { return (place.IsNull() ? node : place).where(); };
  const ConfigNode secure = node["secure_aggregation"];
  if (federation.secure.enabled && node["mode"].IsNull()) federation.mode = RoundMode::kSecure;
  if (!federation.secure.enabled) {
    if (federation.mode != RoundMode::kSecure) return Status();
    return InvalidArgument(at(node["mode"]),
                           ": mode secure is how rounds go under secure aggregation; add federation."
                           "secure_aggregation: {enabled: true}, or use mode close or wait");
  }
  const StrategySpec* strategy = FindStrategy(federation.strategy);
  CONSILIUM_CHECK(strategy != nullptr, federation.strategy);
  if (const std::string why = WhyNotFromASum(*strategy); !why.empty())
    return InvalidArgument(at(node["strategy"]["name"]), ": strategy ", strategy->name,
                           " does not go with secure_aggregation: ", why, ". Use fedavg, fedavgm, fedprox, fedadam, ",
                           "fedyogi, fedadagrad or ditto, or leave secure_aggregation away");
  if (federation.mode != RoundMode::kSecure)
    return InvalidArgument(at(node["mode"]), ": secure_aggregation goes with mode secure alone: below its minimum a ",
                           "round waits for sites and begins a new exchange with fresh keys. Leave 'mode' away, and ",
                           "say with sites.min how many sites must take part");
  if (federation.compression.scheme != tensor::Compression::kNone)
    return InvalidArgument(at(node["compression"]), ": compression does not go with secure_aggregation: masked ",
                           "vectors look like noise, and sites that leave out different values cannot be summed. ",
                           "Remove one of the two");
  if (NeedsPlan(*job))
    return InvalidArgument(
        at(root["model"]), ": sites that plan the network together do not go with ",
        "secure_aggregation yet: their statistics would be told one by one. Plan with a job without ",
        "it, and name the plans with model.plans");
  if (federation.cross_site)
    return InvalidArgument(at(node["cross_site"]), ": cross_site does not go with secure_aggregation: it would show ",
                           "each site's own model to the coordinator and to the other sites");
  if (node["sites"]["min"].IsNull()) federation.sites_min = federation.secure.min_cohort;
  if (federation.sites_min < federation.secure.min_cohort)
    return InvalidArgument(at(node["sites"]["min"]), ": secure_aggregation.min_cohort is ",
                           federation.secure.min_cohort, ", so federation.sites.min must be at least that, found ",
                           federation.sites_min);
  if (federation.sites_min > kSecureSitesMax || static_cast<std::int64_t>(federation.sites.size()) > kSecureSitesMax)
    return InvalidArgument(at(node["sites"]), ": secure_aggregation is for at most ", kSecureSitesMax, " sites");
  return Status();
}

Json SecureToJson(const SecureSpec& secure) {
  return {{"enabled", secure.enabled},
          {"min_cohort", secure.min_cohort},
          {"clip", secure.clip},
          {"examples_max", secure.examples_max}};
}

}  // namespace consilium::wire
