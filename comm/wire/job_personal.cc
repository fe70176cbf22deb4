#include "comm/wire/job_personal.h"

#include <set>

namespace consilium::wire {
namespace {

constexpr std::size_t kPatternsMax = 64, kPatternBytesMax = 256;
constexpr double kFinetuneShare = 0.1;  // of train.learning_rate

void ReadPersonalization(ConfigReader& reader, PersonalizationSpec* spec) {
  std::string method = "none";
  reader.Read("method", &method, OneOf({"none", "finetune", "ditto"}));
  spec->method = method == "finetune" ? PersonalizationMethod::kFinetune
                 : method == "ditto"  ? PersonalizationMethod::kDitto
                                      : PersonalizationMethod::kNone;
  reader.Read("iterations", &spec->iterations, Between<std::int64_t>(1, 1'000'000'000));
  reader.Read("learning_rate", &spec->learning_rate, Between(0.0, 100.0));
  reader.Read("lambda", &spec->lambda, Between(0.0, 1e6));
  for (const char* key : {"iterations", "learning_rate"})
    if (reader.Has(key) && method != "finetune") reader.Refuse(key, "nothing: method finetune alone has it");
  if (reader.Has("lambda") && method != "ditto") reader.Refuse("lambda", "nothing: method ditto alone has it");
}

}  // namespace

void ReadPersonal(ConfigReader& federation, FederationSpec* spec) {
  federation.Read("personal", &spec->personal);
  if (spec->personal.size() > kPatternsMax)
    federation.Refuse("personal", Concat("at most ", kPatternsMax, " patterns"));
  std::set<std::string> seen;
  for (const std::string& pattern : spec->personal) {
    if (pattern.empty() || pattern.size() > kPatternBytesMax)
      federation.Refuse("personal", Concat("patterns of 1 to ", kPatternBytesMax, " bytes, e.g. \"*.norm.*\""));
    if (!seen.insert(pattern).second) federation.Refuse("personal", Concat("each pattern once ('", pattern, "')"));
  }
  federation.ReadMap("personalization",
                     [&](ConfigReader& nested) { ReadPersonalization(nested, &spec->personalization); });
}

void ReadLocalMomentum(ConfigReader& local, FederationSpec* spec) {
  std::string momentum = "auto";
  local.Read("momentum", &momentum, OneOf({"auto", "keep", "reset"}));
  spec->local_momentum = momentum == "reset"  ? LocalMomentum::kReset
                         : momentum == "keep" ? LocalMomentum::kKeep
                                              : LocalMomentum::kAuto;
}

Status ResolvePersonal(const ConfigNode& root, JobSpec* job) {
  FederationSpec& federation = job->federation;
  PersonalizationSpec& personalization = federation.personalization;
  const ConfigNode node = root["federation"];
  // FedNova's tau is that of a momentum that begins at 0 in each round.
  const bool needs_reset = FindStrategy(federation.strategy)->metric == "tau" && job->train.momentum > 0;
  if (needs_reset && federation.local_momentum == LocalMomentum::kKeep)
    return InvalidArgument(node["local"]["momentum"].where(), ": strategy ", federation.strategy,
                           " counts on a momentum that begins at 0 in each round: write reset, or leave it out");
  if (federation.local_momentum == LocalMomentum::kAuto)
    federation.local_momentum = needs_reset ? LocalMomentum::kReset : LocalMomentum::kKeep;

  if (FindStrategy(federation.strategy)->local == LocalMethod::kDitto) {
    if (!node["personalization"].IsNull())
      return InvalidArgument(node["personalization"].where(), ": strategy ", federation.strategy,
                             " is a personalization already (its lambda stands in federation.strategy)");
    personalization.method = PersonalizationMethod::kDitto;
    personalization.lambda = ParameterOf(federation, "lambda");
  }
  if (personalization.method == PersonalizationMethod::kFinetune && personalization.learning_rate == 0)
    personalization.learning_rate = kFinetuneShare * job->train.learning_rate;
  return Status();
}

void AddPersonal(const FederationSpec& spec, Json* federation) {
  if (!spec.personal.empty()) (*federation)["personal"] = spec.personal;
  if (spec.local_momentum == LocalMomentum::kReset) (*federation)["local"]["momentum"] = "reset";
  const PersonalizationSpec& personalization = spec.personalization;
  if (personalization.method == PersonalizationMethod::kFinetune)
    (*federation)["personalization"] = {{"method", "finetune"},
                                        {"iterations", personalization.iterations},
                                        {"learning_rate", personalization.learning_rate}};
  if (personalization.method == PersonalizationMethod::kDitto &&
      FindStrategy(spec.strategy)->local != LocalMethod::kDitto)
    (*federation)["personalization"] = {{"method", "ditto"}, {"lambda", personalization.lambda}};
}

}  // namespace consilium::wire
