#include "comm/wire/job_site_privacy.h"

#include "comm/wire/apply_plan.h"
#include "comm/wire/job_privacy.h"

namespace consilium::wire {
namespace {

// Why a federation would tell more of a site than its share of the noisy mean; "" when it does not.
std::string WhyNotPrivate(const FederationSpec& federation, const JobSpec& job) {
  if (!federation.secure.enabled)
    return "it needs federation.secure_aggregation: {enabled: true}: the noise is made by all sites together, and "
           "without it the coordinator would see each update with a site's small part of the noise alone";
  if (federation.personalization.method == PersonalizationMethod::kFinetune)
    return "personalization finetune is there for scores of each site's own model, which have no noise";
  if (federation.evaluate_every > 0)
    return "evaluate.every reports each site's score without noise; no site evaluates in such a job, so evaluate the "
           "final model on cases of your own";
  if (NeedsPlan(job))
    return "sites that plan the network together tell statistics of their cases without noise; plan on public cases "
           "and name the plans with model.plans";
  return "";
}

}  // namespace

void ReadSitePrivacy(ConfigReader& privacy, SitePrivacySpec* sites) {
  sites->enabled = privacy.Has("sites");
  privacy.ReadMap("sites", [&](ConfigReader& reader) {
    ReadBudget(reader, &sites->epsilon, &sites->delta, &sites->noise_multiplier);
    reader.Read("clip", &sites->clip, Between(kSiteClipMin, kSiteClipMax));
    reader.Read("adaptive_clip", &sites->adaptive_clip);
    reader.Read("clip_quantile", &sites->clip_quantile, Between(0.05, 0.95));
    if (reader.Has("clip_quantile") && !sites->adaptive_clip)
      reader.Refuse("clip_quantile", "nothing here without adaptive_clip: true");
    reader.Read("accept_noise", &sites->accept_noise);
  });
}

Status ResolveSitePrivacy(const ConfigNode& root, JobSpec* job) {
  if (!job->site_privacy.enabled) return Status();
  const std::string where = root["privacy"]["sites"].where();
  if (!job->has_federation)
    return InvalidArgument(where, ": privacy.sites is about sites, and the job has no federation; privacy.records is ",
                           "for the cases of a training on one machine");
  FederationSpec& federation = job->federation;
  if (const std::string why = WhyNotPrivate(federation, *job); !why.empty())
    return InvalidArgument(where, ": privacy.sites does not go with this federation: ", why);
  const ConfigNode node = root["federation"];
  if (!node["strategy"]["weighting"].IsNull() && federation.weighting != "equal")
    return InvalidArgument(node["strategy"]["weighting"].where(), ": under privacy.sites every site has the same ",
                           "weight, so that its number of cases is not told and none counts for several; remove it");
  federation.weighting = "equal";
  for (const char* key : {"clip", "examples_max"})
    if (const ConfigNode given = node["secure_aggregation"][key]; !given.IsNull())
      return InvalidArgument(given.where(), ": under privacy.sites an update is clipped as a whole, by ",
                             "privacy.sites.clip, and cases are not counted; remove ", key);
  return Status();
}

Json SitePrivacyToJson(const SitePrivacySpec& sites) {
  Json json = {{"epsilon", sites.epsilon},
               {"delta", sites.delta},
               {"clip", sites.clip},
               {"adaptive_clip", sites.adaptive_clip},
               {"accept_noise", sites.accept_noise}};
  if (sites.adaptive_clip) json["clip_quantile"] = sites.clip_quantile;
  if (sites.noise_multiplier > 0) json["noise_multiplier"] = sites.noise_multiplier;
  return json;
}

SitePrivacySpec SitePrivacyFromJson(const Json& json) {
  const SitePrivacySpec defaults;
  return {.enabled = true,
          .epsilon = json.at("epsilon").get<double>(),
          .delta = json.at("delta").get<double>(),
          .clip = json.at("clip").get<double>(),
          .adaptive_clip = json.at("adaptive_clip").get<bool>(),
          .clip_quantile = json.value("clip_quantile", defaults.clip_quantile),
          .noise_multiplier = json.value("noise_multiplier", defaults.noise_multiplier),
          .accept_noise = json.at("accept_noise").get<bool>()};
}

}  // namespace consilium::wire
