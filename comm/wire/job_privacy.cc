#include "comm/wire/job_privacy.h"

#include "comm/wire/apply_plan.h"
#include "comm/wire/job_site_privacy.h"

namespace consilium::wire {
namespace {

// Why a federation cannot go with privacy for records; "" when it can.
std::string WhyNotPrivate(const JobSpec& job) {
  const FederationSpec& federation = job.federation;
  if (const StrategySpec* strategy = FindStrategy(federation.strategy); strategy->metric == "loss_before")
    return Concat("strategy ", strategy->name, " needs each site's loss on its training cases, which has no noise");
  if (federation.personalization.method != PersonalizationMethod::kNone)
    return "personalization trains a second model on the same cases, which is not counted yet";
  if (federation.evaluate_every > 0)
    return "evaluate.every reports a score without noise after each so many rounds; the model is evaluated at the end";
  if (federation.cross_site) return "cross_site reports a score without noise for each pair of sites";
  if (NeedsPlan(job))
    return "sites that plan the network together tell statistics of their cases without noise; plan without privacy, "
           "or on public cases, and name the plans with model.plans";
  return "";
}

Status ResolveRecords(const ConfigNode& root, const JobSpec& job) {
  if (!job.record_privacy.enabled) return Status();
  const std::string where = root["privacy"]["records"].where();
  if (job.cluster.ranks > 1)
    return InvalidArgument(where, ": privacy for records is trained by one rank, cluster.ranks is ", job.cluster.ranks);
  if (job.train.gradient_accumulation > 1)
    return InvalidArgument(where, ": cases are taken one by one anyway; remove train.gradient_accumulation");
  if (job.data.fold < 0)
    return InvalidArgument(where, ": data.fold: all validates on the training cases, and that score has no noise; ",
                           "choose a fold");
  if (!job.has_federation) return Status();
  if (const std::string why = WhyNotPrivate(job); !why.empty())
    return InvalidArgument(where, ": privacy.records does not go with this federation: ", why);
  return Status();
}

}  // namespace

void ReadBudget(ConfigReader& reader, double* epsilon, double* delta, double* noise_multiplier) {
  reader.Require("epsilon");
  reader.Read("epsilon", epsilon, Between(0.01, 1000.0));
  reader.Read("delta", delta, Between(1e-15, 0.01));
  reader.Read("noise_multiplier", noise_multiplier, Between(0.1, 1e4));
}

void ReadPrivacy(ConfigReader& root, JobSpec* job) {
  root.ReadMap("privacy", [&](ConfigReader& privacy) {
    RecordPrivacySpec& records = job->record_privacy;
    records.enabled = privacy.Has("records");
    privacy.ReadMap("records", [&](ConfigReader& reader) {
      ReadBudget(reader, &records.epsilon, &records.delta, &records.noise_multiplier);
      reader.Read("clip", &records.clip, Between(1e-9, 1e9));
    });
    ReadSitePrivacy(privacy, &job->site_privacy);
  });
}

Status ResolvePrivacy(const ConfigNode& root, JobSpec* job) {
  RETURN_IF_ERROR(ResolveRecords(root, *job));
  return ResolveSitePrivacy(root, job);
}

Json PrivacyToJson(const JobSpec& job) {
  Json json = Json::object();
  if (const RecordPrivacySpec& records = job.record_privacy; records.enabled) {
    json["records"] = {{"epsilon", records.epsilon}, {"delta", records.delta}, {"clip", records.clip}};
    if (records.noise_multiplier > 0) json["records"]["noise_multiplier"] = records.noise_multiplier;
  }
  if (job.site_privacy.enabled) json["sites"] = SitePrivacyToJson(job.site_privacy);
  return json;
}

}  // namespace consilium::wire
