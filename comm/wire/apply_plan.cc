#include "comm/wire/apply_plan.h"

#include <algorithm>
#include <functional>
#include <set>

#include "comm/base/suggest.h"

namespace consilium::wire {
namespace {

using Numbers = std::vector<std::int64_t>;
constexpr char kPlanned[] = "plan";  // model.architecture
constexpr char kArchitecture[] = "model.architecture";
constexpr char kPlainNetwork[] = "dynamic_network_architectures.architectures.unet.PlainConvUNet";
constexpr char kResidualNetwork[] = "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet";

// Residual blocks of an encoder stage; the networks that planners make have no others.
std::int64_t BlocksOf(std::size_t stage) {
  constexpr std::int64_t kFirst[] = {1, 3, 4};
  return stage < std::size(kFirst) ? kFirst[stage] : 6;
}

// Reads one plans file; remembers the first fault.
class PlansReader {
 public:
  PlansReader(const Json& plans, std::string where) : plans_(plans), where_(std::move(where)) {}

  StatusOr<std::vector<std::pair<std::string, Json>>> Keys(const std::string& name) {
    ASSIGN_OR_RETURN(const Json configuration, Configuration(name));
    where_ += ": configurations." + name;
    const Json& architecture = At(configuration, "architecture");
    const Json& kwargs = At(architecture, "arch_kwargs");
    RETURN_IF_ERROR(fault_);
    const Json& network = At(architecture, "network_class_name");
    const bool is_residual = network == kResidualNetwork;
    if (!is_residual && network != kPlainNetwork)
      return Unimplemented(where_, ": the network is ", network.dump(),
                           "; PlainConvUNet and ResidualEncoderUNet are built");
    Numbers patch = List(configuration, "patch_size");
    std::vector<Numbers> strides = Lists(kwargs, "strides"), kernels = Lists(kwargs, "kernel_sizes");
    const Numbers features = List(kwargs, "features_per_stage");
    const Json& batch = At(configuration, "batch_size");
    RETURN_IF_ERROR(fault_);
    if (!batch.is_number_integer()) return InvalidArgument(where_, ": batch_size is ", batch.dump());
    RETURN_IF_ERROR(CheckStages(patch, strides, kernels, features));
    RETURN_IF_ERROR(is_residual ? CheckResidual(kwargs, strides.size()) : CheckPlain(kwargs));
    RETURN_IF_ERROR(ToDataOrder(&patch));
    for (auto* lists : {&strides, &kernels})
      for (Numbers& list : *lists) RETURN_IF_ERROR(ToDataOrder(&list));

    std::vector<double> spacing;
    for (const Json& edge : At(configuration, "spacing"))
      if (edge.is_number()) spacing.push_back(edge.get<double>());
    RETURN_IF_ERROR(fault_);
    if (spacing.size() != patch.size())
      return InvalidArgument(where_, ": spacing is ", At(configuration, "spacing").dump(), " for a patch of ",
                             patch.size(), " axes");
    RETURN_IF_ERROR(ToDataOrder(&spacing));

    std::vector<std::pair<std::string, Json>> keys = {
        {kArchitecture, is_residual ? "resenc_unet" : "plain_unet"},
        {"model.patch_size", patch},
        {"model.strides", strides},
        {"model.kernels", kernels},
        {"model.base_features", features.front()},
        {"model.features_max", *std::max_element(features.begin(), features.end())},
        {"train.batch_size", batch},
        {"data.spacing", spacing}};
    ASSIGN_OR_RETURN(Json normalization, Normalization(configuration));
    keys.emplace_back("data.normalization", std::move(normalization));
    return keys;
  }

 private:
  const Json& At(const Json& json, const std::string& key) {
    static const Json kNothing;
    if (json.is_object() && json.contains(key)) return json[key];
    if (fault_.ok()) fault_ = InvalidArgument(where_, ": ", key, " is missing; expected nnU-Net plans (version 2)");
    return kNothing;
  }

  Numbers ToNumbers(const Json& json, const std::string& key) {
    Numbers numbers;
    for (const Json& entry : json)
      if (json.is_array() && entry.is_number_integer()) numbers.push_back(entry.get<std::int64_t>());
    if ((numbers.empty() || numbers.size() != json.size()) && fault_.ok())
      fault_ = InvalidArgument(where_, ": ", key, " is ", json.dump(), "; expected a list of whole numbers");
    return numbers;
  }
  Numbers List(const Json& json, const std::string& key) { return ToNumbers(At(json, key), key); }
  std::vector<Numbers> Lists(const Json& json, const std::string& key) {
    std::vector<Numbers> lists;
    const Json& all = At(json, key);
    if (!all.is_array() && fault_.ok()) fault_ = InvalidArgument(where_, ": ", key, " is ", all.dump());
    if (fault_.ok())
      for (const Json& list : all) lists.push_back(ToNumbers(list, key));
    return lists;
  }

  // With what it inherits from.
  StatusOr<Json> Configuration(const std::string& name) {
    const Json& configurations = At(plans_, "configurations");
    RETURN_IF_ERROR(fault_);
    Json merged = Json::object();
    std::set<std::string> seen;
    for (std::string next = name; !next.empty();) {
      if (!configurations.is_object() || !configurations.contains(next) || !configurations[next].is_object()) {
        std::vector<std::string> known;
        if (configurations.is_object())
          for (const auto& [key, value] : configurations.items()) known.push_back(key);
        return NotFound(where_, ": no configuration '", next, "'", Suggestion(next, known));
      }
      if (!seen.insert(next).second)
        return InvalidArgument(where_, ": configuration '", next, "' inherits from itself");
      const Json& own = configurations[next];
      for (const auto& [key, value] : own.items())
        if (!merged.contains(key)) merged[key] = value;
      next = own.contains("inherits_from") && own["inherits_from"].is_string() ? own["inherits_from"].get<std::string>()
                                                                               : "";
    }
    return merged;
  }

  Status CheckStages(const Numbers& patch, const std::vector<Numbers>& strides, const std::vector<Numbers>& kernels,
                     const Numbers& features) {
    const std::size_t stages = strides.size();
    if (stages == 0 || kernels.size() != stages || features.size() != stages ||
        (patch.size() != 2 && patch.size() != 3))
      return InvalidArgument(where_, ": ", stages, " strides, ", kernels.size(), " kernel_sizes and ", features.size(),
                             " features_per_stage for a patch of ", patch.size(),
                             " axes; expected one of each a stage");
    for (const auto* lists : {&strides, &kernels})
      for (const Numbers& list : *lists)
        if (list.size() != patch.size())
          return InvalidArgument(where_, ": ", Json(list).dump(), " for a patch of ", patch.size(), " axes");
    const std::int64_t features_max = *std::max_element(features.begin(), features.end());
    std::int64_t doubled = features.front();
    for (const std::int64_t count : features) {
      if (count < 1 || count != std::min(doubled, features_max))
        return Unimplemented(where_, ": features_per_stage is ", Json(features).dump(),
                             "; only channels that double up to a limit are built");
      doubled = std::min(doubled * 2, features_max);
    }
    return fault_;
  }

  Status CheckCounts(const Json& kwargs, const char* key, const std::function<std::int64_t(std::size_t)>& built) {
    const Numbers counts = kwargs.contains(key) ? List(kwargs, key) : Numbers();
    for (std::size_t stage = 0; stage < counts.size(); ++stage)
      if (counts[stage] != built(stage))
        return Unimplemented(where_, ": ", key, " is ", Json(counts).dump(), "; in stage ", stage, " ", built(stage),
                             " is built");
    return fault_;
  }
  Status CheckPlain(const Json& kwargs) {
    for (const char* key : {"n_conv_per_stage", "n_conv_per_stage_decoder"})
      RETURN_IF_ERROR(CheckCounts(kwargs, key, [](std::size_t) { return 2; }));
    return Status();
  }
  Status CheckResidual(const Json& kwargs, std::size_t stages) {
    if (const Numbers blocks = List(kwargs, "n_blocks_per_stage"); fault_.ok() && blocks.size() != stages)
      return InvalidArgument(where_, ": n_blocks_per_stage is ", Json(blocks).dump(), " for ", stages, " stages");
    RETURN_IF_ERROR(CheckCounts(kwargs, "n_blocks_per_stage", BlocksOf));
    return CheckCounts(kwargs, "n_conv_per_stage_decoder", [](std::size_t) { return 1; });
  }

  // Lists of plans follow the transposed axes; ours follow the data's.
  template <typename Number>
  Status ToDataOrder(std::vector<Number>* list) {
    const Numbers order = List(plans_, "transpose_forward");
    RETURN_IF_ERROR(fault_);
    Numbers sorted = order;
    std::sort(sorted.begin(), sorted.end());
    if (sorted != Numbers{0, 1, 2})
      return InvalidArgument(where_, ": transpose_forward is ", Json(order).dump(), "; expected an order of 0, 1, 2");
    if (list->size() == 2) {
      if (order[0] != 0)
        return Unimplemented(
            where_, ": slices across axis ", order[0],
            " of the data are not built yet; use 3d_fullres, or store the data with its coarsest axis as z");
      if (order[1] == 2) std::swap((*list)[0], (*list)[1]);
      return Status();
    }
    std::vector<Number> placed(3);
    for (std::size_t i = 0; i < 3; ++i) placed[static_cast<std::size_t>(order[i])] = (*list)[i];
    *list = placed;
    return Status();
  }

  StatusOr<Json> Normalization(const Json& configuration) {
    const Json& schemes = At(configuration, "normalization_schemes");
    const Json& masks = At(configuration, "use_mask_for_norm");
    const Json& intensities = At(plans_, "foreground_intensity_properties_per_channel");
    RETURN_IF_ERROR(fault_);
    if (!schemes.is_array() || !masks.is_array() || masks.size() != schemes.size())
      return InvalidArgument(where_,
                             ": normalization_schemes and use_mask_for_norm must be lists, one entry a channel");
    Json channels = Json::object();
    for (std::size_t c = 0; c < schemes.size(); ++c) {
      if (!schemes[c].is_string() || !masks[c].is_boolean())
        return InvalidArgument(where_, ": normalization_schemes[", c, "] is ", schemes[c].dump());
      Json channel = {{"scheme", schemes[c]}, {"inside_mask", masks[c]}};
      if (schemes[c] == "CTNormalization") {
        const Json& found = At(intensities, std::to_string(c));
        for (const char* key : {"mean", "std", "percentile_00_5", "percentile_99_5"}) {
          const Json& value = At(found, key);
          RETURN_IF_ERROR(fault_);
          if (!value.is_number()) return InvalidArgument(where_, ": ", key, " of channel ", c, " is ", value.dump());
          channel[key] = value;
        }
      }
      channels[std::to_string(c)] = std::move(channel);
    }
    return channels;
  }

  const Json& plans_;
  std::string where_;
  Status fault_;
};

// A key's node, and whether it says something.
bool IsGiven(const ConfigNode& root, const std::string& dotted) {
  const std::size_t dot = dotted.find('.');
  return !root[dotted.substr(0, dot)][dotted.substr(dot + 1)].IsNull();
}

}  // namespace

StatusOr<std::vector<std::pair<std::string, Json>>> PlannedKeys(const Json& plans, const std::string& configuration,
                                                                const std::string& where) {
  return PlansReader(plans, where).Keys(configuration);
}

bool NeedsPlan(const JobSpec& job) { return job.model.architecture == kPlanned; }

StatusOr<JobSpec> ApplyPlan(const JobSpec& job, const Json& plans, const std::string& where) {
  ASSIGN_OR_RETURN(const auto keys, PlannedKeys(plans, job.data.configuration, where));
  ASSIGN_OR_RETURN(ConfigNode root, ConfigNode::Parse(JobToJson(job).dump(), where));
  for (const auto& [key, value] : keys)
    if (key == kArchitecture || !NeedsPlan(job) || !IsGiven(root, key))
      RETURN_IF_ERROR(root.Set(key + "=" + value.dump()));
  return ParseJob(root);
}

StatusOr<JobSpec> ReadJobToSubmit(const std::filesystem::path& path, const std::vector<std::string>& assignments) {
  ASSIGN_OR_RETURN(ConfigNode root, ConfigNode::ReadFile(path));
  for (const std::string& assignment : assignments) RETURN_IF_ERROR(root.Set(assignment));
  RETURN_IF_ERROR(ResolvePlan(path.parent_path(), &root));
  return ParseJob(root);
}

Status ResolvePlan(const std::filesystem::path& folder, ConfigNode* root) {
  const ConfigNode model = (*root)["model"], file = model["plans"];
  if (model["architecture"].scalar() != kPlanned) {
    if (file.IsNull()) return Status();
    return InvalidArgument(file.where(), ": goes with model.architecture: plan");
  }
  if (file.IsNull() && !(*root)["federation"].IsNull()) return Status();  // the sites plan together
  if (file.scalar().empty())
    return InvalidArgument(model["architecture"].where(),
                           ": 'plan' needs model.plans, the plans file that consilium plan wrote");
  const std::filesystem::path path = folder / file.scalar();
  StatusOr<Json> plans = ReadJson(path);
  if (!plans.ok()) return Annotate(plans.status(), file.where());
  std::string configuration = (*root)["data"]["configuration"].scalar();
  if (configuration.empty()) configuration = DataSpec().configuration;
  ASSIGN_OR_RETURN(const auto keys, PlannedKeys(*plans, configuration, path.string()));
  for (const auto& [key, value] : keys)
    if (key == kArchitecture || !IsGiven(*root, key)) RETURN_IF_ERROR(root->Set(key + "=" + value.dump()));
  return root->Set("model.plans=~");
}

}  // namespace consilium::wire
