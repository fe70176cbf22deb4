#include "comm/wire/job_rounds.h"

#include "comm/base/ids.h"

namespace consilium::wire {
namespace {

constexpr std::int64_t kSitesMax = 1'000'000;

void ReadSites(ConfigReader& reader, FederationSpec* federation) {
  reader.Read("min", &federation->sites_min, Between<std::int64_t>(1, kSitesMax));
  reader.Read("names", &federation->sites);
  reader.Read("fraction", &federation->sites_fraction, Rule<double>([](const double& share) {
                return share > 0 && share <= 1 ? std::string() : std::string("a share above 0 and at most 1");
              }));
  reader.Read("over_select", &federation->sites_over_select, Between<std::int64_t>(0, kSitesMax));
  reader.Read("enough", &federation->sites_enough, Between<std::int64_t>(0, kSitesMax));
  if (!federation->sites.empty() && federation->sites_min > static_cast<std::int64_t>(federation->sites.size()))
    reader.Refuse("min", Concat("at most the ", federation->sites.size(), " sites that are named"));
  for (std::size_t i = 0; i < federation->sites.size() && reader.status().ok(); ++i) {
    if (!IsValidName(federation->sites[i])) reader.Refuse("names", "site names of lower-case letters, digits and '-'");
    for (std::size_t j = 0; j < i; ++j)
      if (federation->sites[i] == federation->sites[j])
        reader.Refuse("names", Concat("each site once ('", federation->sites[i], "' is named twice)"));
  }
}

void ReadEvaluate(ConfigReader& reader, FederationSpec* federation) {
  reader.Read("every", &federation->evaluate_every, Between<std::int64_t>(0, 1'000'000));
  std::string on = federation->evaluate_on == EvaluateOn::kHeldout ? "heldout" : "validation";
  reader.Read("on", &on, OneOf({"validation", "heldout"}));
  federation->evaluate_on = on == "heldout" ? EvaluateOn::kHeldout : EvaluateOn::kValidation;
  reader.Read("metric", &federation->evaluate_metric, [](const std::string& name) {
    return name.empty() || name.size() > 256 ? std::string("the name of a reported metric, e.g. dice") : std::string();
  });
}

}  // namespace

std::string_view RoundModeName(RoundMode mode) {
  static constexpr std::string_view kNames[] = {"close", "wait", "async", "secure"};
  return kNames[static_cast<std::size_t>(mode)];
}

void ReadRounds(ConfigReader& reader, FederationSpec* federation) {
  reader.Read("rounds", &federation->rounds, Between<std::int64_t>(1, 1'000'000'000));
  std::string mode(RoundModeName(federation->mode));
  reader.Read("mode", &mode, OneOf({"close", "wait", "async", "secure"}));
  for (const RoundMode known : {RoundMode::kClose, RoundMode::kWait, RoundMode::kAsync, RoundMode::kSecure})
    if (mode == RoundModeName(known)) federation->mode = known;
  reader.ReadMap("sites", [&](ConfigReader& nested) { ReadSites(nested, federation); });
  reader.Read("round_deadline", &federation->round_deadline, Rule<Duration>([](const Duration& deadline) {
                return deadline >= std::chrono::seconds(1) ? std::string() : std::string("at least 1s");
              }));
  reader.ReadMap("evaluate", [&](ConfigReader& nested) { ReadEvaluate(nested, federation); });
  reader.ReadMap("early_stop", [&](ConfigReader& nested) {
    nested.Read("patience", &federation->early_stop_patience, Between<std::int64_t>(0, 1'000'000));
    nested.Read("min_delta", &federation->early_stop_min_delta, Between(0.0, 1e12));
  });
  reader.Read("cross_site", &federation->cross_site);
}

Status ResolveRounds(const ConfigNode& root, JobSpec* job) {
  FederationSpec& federation = job->federation;
  const ConfigNode node = root["federation"];
  const auto refuse = [](const ConfigNode& place, const auto&... what) {
    return InvalidArgument(place.where(), ": ", what...);
  };
  if (federation.strategy == "fedbuff" && node["mode"].IsNull()) federation.mode = RoundMode::kAsync;
  const bool async = federation.mode == RoundMode::kAsync;
  if (async != (federation.strategy == "fedbuff"))
    return refuse(node["mode"].IsNull() ? node : node["mode"],
                  "mode async and strategy fedbuff belong together, found ", RoundModeName(federation.mode), " and ",
                  federation.strategy);
  const bool selects = federation.sites_fraction < 1 || federation.sites_over_select > 0 || federation.sites_enough > 0;
  if (selects && federation.mode != RoundMode::kClose)
    return refuse(node["sites"], "fraction, over_select and enough are for mode close; mode ",
                  RoundModeName(federation.mode),
                  async ? " gives every site its next task as soon as it has answered"
                  : federation.mode == RoundMode::kSecure
                      ? " asks every site that is there: whoever is left out of one sum and not of the next shows in "
                        "their difference"
                      : " waits for every site");
  if (federation.sites_over_select > 0 && federation.sites_fraction == 1)
    return refuse(node["sites"]["over_select"],
                  "over_select asks sites beyond federation.sites.fraction, which has to be below 1 for that");
  if (federation.sites_enough > 0 && federation.sites_enough < federation.sites_min)
    return refuse(node["sites"]["enough"], "at least federation.sites.min (", federation.sites_min,
                  ") replies, or 0 to wait for all until the deadline; found ", federation.sites_enough);
  if (async && federation.evaluate_every > 0)
    return refuse(node["evaluate"],
                  "sites train all the time in mode async; evaluate.every is for modes close and wait");
  if (federation.early_stop_patience > 0 &&
      (federation.evaluate_every == 0 || federation.evaluate_on != EvaluateOn::kValidation))
    return refuse(node["early_stop"], "early_stop needs federation.evaluate: {every: N, on: validation}");
  return Status();
}

void AddRoundsJson(const FederationSpec& federation, Json* json) {
  (*json)["rounds"] = federation.rounds;
  (*json)["mode"] = RoundModeName(federation.mode);
  (*json)["sites"] = {{"min", federation.sites_min},
                      {"fraction", federation.sites_fraction},
                      {"over_select", federation.sites_over_select},
                      {"enough", federation.sites_enough},
                      {"names", federation.sites}};
  (*json)["round_deadline"] = ExactDuration(federation.round_deadline);
  (*json)["evaluate"] = {{"every", federation.evaluate_every},
                         {"on", federation.evaluate_on == EvaluateOn::kHeldout ? "heldout" : "validation"},
                         {"metric", federation.evaluate_metric}};
  (*json)["early_stop"] = {{"patience", federation.early_stop_patience},
                           {"min_delta", federation.early_stop_min_delta}};
  (*json)["cross_site"] = federation.cross_site;
}

}  // namespace consilium::wire
