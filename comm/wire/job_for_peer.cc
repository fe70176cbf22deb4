#include "comm/wire/job_for_peer.h"

#include <set>
#include <string_view>

#include "comm/wire/job.h"

namespace consilium::wire {
namespace {

// The keys of protocol 1.0.  Never to be changed: what was added later is what is not here.  Below a key that ends in
// ".*" everything was known by the names of its time.
constexpr std::string_view kKeys10[] = {"name",
                                        "task",
                                        "data.dataset",
                                        "data.configuration",
                                        "data.fold",
                                        "model.architecture",
                                        "model.patch_size",
                                        "model.base_features",
                                        "model.features_max",
                                        "model.strides",
                                        "model.kernels",
                                        "model.deep_supervision",
                                        "train.epochs",
                                        "train.iterations",
                                        "train.validation_iterations",
                                        "train.batch_size",
                                        "train.gradient_accumulation",
                                        "train.precision",
                                        "train.seed",
                                        "train.threads",
                                        "train.learning_rate",
                                        "train.momentum",
                                        "train.weight_decay",
                                        "train.gradient_clip",
                                        "train.foreground_oversampling",
                                        "train.augmentation.mirror",
                                        "train.augmentation.intensity",
                                        "train.checkpoint_every",
                                        "cluster.ranks",
                                        "cluster.backend",
                                        "cluster.step_timeout",
                                        "federation.rounds",
                                        "federation.mode",
                                        "federation.sites.min",
                                        "federation.sites.names",
                                        "federation.round_deadline",
                                        "federation.local.epochs",
                                        "federation.local.iterations",
                                        "federation.strategy.*",
                                        "federation.compression.*"};

bool IsKnown(const std::string& path) {
  for (const std::string_view key : kKeys10) {
    if (path == key) return true;
    const bool open = key.ends_with(".*");
    if (open && (path == key.substr(0, key.size() - 2) || path.starts_with(key.substr(0, key.size() - 1)))) return true;
  }
  return false;
}

// A section of which some key was known.
bool IsKnownSection(const std::string& path) {
  for (const std::string_view key : kKeys10)
    if (key.starts_with(path + ".")) return true;
  return false;
}

// Null when it is no job.
Json Resolved(const Json& json) {
  const StatusOr<ConfigNode> root = ConfigNode::Parse(json.dump(), "job");
  const StatusOr<JobSpec> job = root.ok() ? ParseJob(*root) : StatusOr<JobSpec>(root.status());
  return job.ok() ? JobToJson(*job) : Json();
}

// Leaves out what is unknown in `section` of `whole`.
void Prune(Json* whole, Json* section, const std::string& prefix, const Json& meaning) {
  std::set<std::string> keys;
  for (const auto& [key, value] : section->items()) keys.insert(key);
  for (const std::string& key : keys) {
    const std::string path = prefix + key;
    if (IsKnown(path)) continue;
    if (IsKnownSection(path)) {
      if ((*section)[key].is_object()) Prune(whole, &(*section)[key], path + ".", meaning);
      continue;
    }
    Json value = std::move((*section)[key]);
    section->erase(key);
    if (Resolved(*whole) != meaning) (*section)[key] = std::move(value);
  }
}

}  // namespace

std::string JobForPeer(const std::string& job_json, std::uint32_t minor) {
  if (minor >= 1) return job_json;
  const StatusOr<Json> parsed = ParseJson(job_json, "job");
  if (!parsed.ok() || !parsed->is_object()) return job_json;
  Json json = *parsed;
  const Json meaning = Resolved(json);
  if (meaning.is_null()) return job_json;
  Prune(&json, &json, "", meaning);
  return json.dump();
}

}  // namespace consilium::wire
