#include "comm/wire/job_strategy.h"

#include <algorithm>
#include <cmath>

#include "comm/base/ids.h"

namespace consilium::wire {
namespace {

Rule<double> RangeOf(const StrategyParameter& parameter) {
  return [&parameter](const double& value) -> std::string {
    const bool whole = parameter.kind == NumberKind::kReal || value == std::floor(value);
    if (whole && value >= parameter.min && value <= parameter.max) return "";
    return Concat(parameter.kind == NumberKind::kInteger ? "a whole number between " : "a number between ",
                  parameter.min, " and ", parameter.max, " (", parameter.meaning, ")");
  };
}

// groups: {north: [a, b], south: [c]}
void ReadGroups(ConfigReader& reader, FederationSpec* federation) {
  reader.ReadMap("groups", [&](ConfigReader& nested) {
    std::vector<std::string> seen;
    for (const std::string& group : nested.node().keys()) {
      std::vector<std::string>& sites = federation->strategy_groups[group];
      nested.Read(group, &sites);
      for (const std::string& site : sites) {
        if (!IsValidName(site)) nested.Refuse(group, "a list of site names");
        if (std::ranges::find(seen, site) != seen.end())
          nested.Refuse(group, Concat("each site in one group ('", site, "' is in two)"));
        seen.push_back(site);
      }
    }
  });
}

// matrix: {a: {a: 0.7, b: 0.3}, b: {b: 1}}
void ReadMatrix(ConfigReader& reader, FederationSpec* federation) {
  reader.ReadMap("matrix", [&](ConfigReader& rows) {
    for (const std::string& site : rows.node().keys()) {
      double sum = 0;
      rows.ReadMap(site, [&](ConfigReader& row) {
        for (const std::string& from : row.node().keys()) {
          double weight = 0;
          row.Read(from, &weight, Between(0.0, 1e6));
          if (!IsValidName(from)) row.Refuse(from, "site names as keys");
          federation->strategy_matrix[site][from] = weight;
          sum += weight;
        }
      });
      if (!IsValidName(site)) rows.Refuse(site, "site names as keys");
      if (rows.status().ok() && !(sum > 0))
        rows.Refuse(site, "weights of sites, one of them above 0 (a row is divided by its sum)");
    }
  });
}

}  // namespace

void ReadStrategy(ConfigReader& reader, FederationSpec* federation) {
  reader.Read("name", &federation->strategy, OneOf(StrategyNames()));
  const StrategySpec* spec = FindStrategy(federation->strategy);
  if (spec == nullptr || !reader.status().ok()) return;
  if (spec->weighting == Weighting::kEqual) federation->weighting = "equal";
  reader.Read("weighting", &federation->weighting, OneOf({"examples", "equal"}));
  if (spec->weighting == Weighting::kEqual && federation->weighting != "equal")
    reader.Refuse("weighting", Concat("equal (", spec->name, " does not trust the counts that sites announce)"));
  federation->strategy_parameters = DefaultParameters(*spec);
  for (const StrategyParameter& parameter : spec->parameters)
    reader.Read(std::string(parameter.name), &federation->strategy_parameters.at(std::string(parameter.name)),
                RangeOf(parameter));
  if (spec->name == "clustered") ReadGroups(reader, federation);
  if (spec->name == "mixing") ReadMatrix(reader, federation);
}

Status ResolveStrategy(const ConfigNode& root, JobSpec* job) {
  FederationSpec& federation = job->federation;
  const StrategySpec* spec = FindStrategy(federation.strategy);
  CONSILIUM_CHECK(spec != nullptr, federation.strategy);
  if (federation.strategy_parameters.empty()) federation.strategy_parameters = DefaultParameters(*spec);
  const auto lipschitz = federation.strategy_parameters.find("lipschitz");
  if (lipschitz != federation.strategy_parameters.end() && lipschitz->second == 0 && job->train.learning_rate > 0)
    lipschitz->second = 1 / job->train.learning_rate;
  const UpdatesNeeded needed = UpdatesNeededBy(*spec, federation.strategy_parameters);
  if (static_cast<std::size_t>(federation.sites_min) >= needed.count) return Status();
  ConfigNode place = root["federation"]["sites"]["min"];
  if (place.IsNull()) place = root["federation"]["strategy"]["name"];
  return InvalidArgument(place.where(), ": strategy ", spec->name, " needs federation.sites.min of at least ",
                         needed.count, " (", needed.why, "), found ", federation.sites_min);
}

Json StrategyToJson(const FederationSpec& federation) {
  Json json = {{"name", federation.strategy}, {"weighting", federation.weighting}};
  for (const auto& [name, value] : federation.strategy_parameters) json[name] = value;
  if (!federation.strategy_groups.empty()) json["groups"] = federation.strategy_groups;
  if (!federation.strategy_matrix.empty()) json["matrix"] = federation.strategy_matrix;
  return json;
}

UpdateKind UpdateKindOf(const FederationSpec& federation) {
  const StrategySpec* spec = FindStrategy(federation.strategy);
  CONSILIUM_CHECK(spec != nullptr, federation.strategy);
  const bool differences = federation.secure.enabled || federation.compression.scheme != tensor::Compression::kNone;
  return differences ? UpdateKind::kDelta : spec->update;
}

double ParameterOf(const FederationSpec& federation, std::string_view name) {
  const auto found = federation.strategy_parameters.find(std::string(name));
  CONSILIUM_CHECK(found != federation.strategy_parameters.end(), federation.strategy, " has no parameter ", name);
  return found->second;
}

}  // namespace consilium::wire
