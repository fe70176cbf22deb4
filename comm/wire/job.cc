#include "comm/wire/job.h"

#include "comm/base/ids.h"
#include "comm/wire/apply_plan.h"
#include "comm/wire/job_compression.h"
#include "comm/wire/job_personal.h"
#include "comm/wire/job_privacy.h"
#include "comm/wire/job_rounds.h"
#include "comm/wire/job_secure.h"
#include "comm/wire/job_strategy.h"

namespace consilium::wire {
namespace {

// Products of two counts (rounds x local epochs, epochs x iterations) must stay far inside 64 bits: (10^9)^2 = 10^18 <
// 2^63.
const Rule<std::int64_t> kPositive = Between<std::int64_t>(1, 1'000'000'000);
const Rule<std::int64_t> kCount = AtLeast<std::int64_t>(0);

// Sections "0", "1", ... for the channels, as in nnU-Net's files.
void ReadNormalization(ConfigReader& reader, std::vector<ChannelNormalization>* channels) {
  const std::size_t count = reader.node().keys().size();
  for (std::size_t c = 0; c < count; ++c) {
    reader.Require(std::to_string(c));
    ChannelNormalization& channel = channels->emplace_back();
    reader.ReadMap(std::to_string(c), [&](ConfigReader& nested) {
      nested.Require("scheme");
      nested.Read("scheme", &channel.scheme,
                  OneOf({"ZScoreNormalization", "CTNormalization", "NoNormalization", "RescaleTo01Normalization",
                         "RGBTo01Normalization"}));
      nested.Read("inside_mask", &channel.inside_mask);
      if (channel.scheme == "CTNormalization")
        for (const char* key : {"mean", "std", "percentile_00_5", "percentile_99_5"}) nested.Require(key);
      nested.Read("mean", &channel.mean);
      nested.Read("std", &channel.std, AtLeast(0.0));
      nested.Read("percentile_00_5", &channel.percentile_00_5);
      nested.Read("percentile_99_5", &channel.percentile_99_5);
      if (nested.status().ok() && channel.percentile_99_5 < channel.percentile_00_5)
        nested.Refuse("percentile_99_5", "at least percentile_00_5");
    });
  }
}

Json NormalizationToJson(const std::vector<ChannelNormalization>& channels) {
  Json json = Json::object();
  for (std::size_t c = 0; c < channels.size(); ++c) {
    const ChannelNormalization& channel = channels[c];
    Json& section = json[std::to_string(c)] = {{"scheme", channel.scheme}, {"inside_mask", channel.inside_mask}};
    if (channel.scheme != "CTNormalization") continue;
    section["mean"] = channel.mean;
    section["std"] = channel.std;
    section["percentile_00_5"] = channel.percentile_00_5;
    section["percentile_99_5"] = channel.percentile_99_5;
  }
  return json;
}

void ReadData(ConfigReader& reader, DataSpec* data) {
  reader.Require("dataset");
  reader.Read("dataset", &data->dataset);
  reader.Read("spacing", &data->spacing);
  for (const double edge : data->spacing)
    if (!(edge > 0) || (data->spacing.size() != 2 && data->spacing.size() != 3))
      return reader.Refuse("spacing", "2 or 3 positive numbers, mm");
  reader.ReadMap("normalization", [&](ConfigReader& nested) { ReadNormalization(nested, &data->normalization); });
  for (const char* later : {"3d_lowres", "3d_cascade_fullres"})
    reader.RefuseUnbuiltValue("configuration", later, "use 2d or 3d_fullres");
  reader.Read("configuration", &data->configuration, OneOf({"2d", "3d_fullres"}));
  if (reader.node()["fold"].scalar() == "all") {
    std::string all;
    reader.Read("fold", &all);
    data->fold = -1;
  } else {
    reader.Read("fold", &data->fold, AtLeast<std::int64_t>(-1));
  }
}

void ReadModel(ConfigReader& reader, ModelSpec* model) {
  reader.RefuseUnbuilt("plans", "it goes with architecture: plan in a job file");
  reader.Read("architecture", &model->architecture, OneOf({"plain_unet", "resenc_unet", "plan"}));
  if (model->architecture == "plan") {  // 0: as the plan will say
    model->base_features = model->features_max = 0;
    for (const char* decided : {"patch_size", "strides", "kernels"})
      if (reader.Has(decided))
        return reader.Refuse(
            decided,
            "nothing here: it is what the plan decides (architecture: plain_unet or resenc_unet takes your own)");
  } else {
    reader.Require("patch_size");
  }
  reader.Read("patch_size", &model->patch_size);
  reader.Read("base_features", &model->base_features, Between<std::int64_t>(1, 4096));
  reader.Read("features_max", &model->features_max, Between<std::int64_t>(1, 65536));
  reader.Read("strides", &model->strides);
  reader.Read("kernels", &model->kernels);
  reader.Read("deep_supervision", &model->deep_supervision);
  if (!reader.status().ok()) return;
  if (model->architecture == "plan") return;
  const std::size_t dims = model->patch_size.size();
  if (dims != 2 && dims != 3) return reader.Refuse("patch_size", "2 or 3 sizes in voxels, e.g. [40, 56, 40]");
  for (const std::int64_t size : model->patch_size)
    if (size < 4 || size > 4096) return reader.Refuse("patch_size", "sizes between 4 and 4096 voxels");
  for (const auto& [key, lists, low, high] :
       {std::tuple{"strides", &model->strides, 1, 4}, {"kernels", &model->kernels, 1, 7}}) {
    for (const auto& list : *lists) {
      if (list.size() != dims) return reader.Refuse(key, Concat("one list of ", dims, " numbers per stage"));
      for (const std::int64_t number : list)
        if (number < low || number > high || (high == 7 && number % 2 == 0))
          return reader.Refuse(key, Concat(high == 7 ? "odd numbers" : "numbers", " between ", low, " and ", high));
    }
  }
  if (!model->kernels.empty() && model->kernels.size() != model->strides.size())
    return reader.Refuse("kernels", Concat("as many stages as strides has (", model->strides.size(), ")"));
  if (model->strides.size() == 1) return reader.Refuse("strides", "at least 2 stages");
  for (std::size_t axis = 0; axis < dims && !model->strides.empty(); ++axis) {
    std::int64_t divisor = 1;
    for (const auto& stride : model->strides) divisor *= stride[axis];
    if (model->patch_size[axis] % divisor != 0)
      return reader.Refuse("patch_size",
                           Concat("multiples of the product of the strides (axis ", axis, ": ", divisor, ")"));
  }
}

void ReadTrain(ConfigReader& reader, TrainSpec* train) {
  reader.Read("epochs", &train->epochs, kPositive);
  reader.Read("iterations", &train->iterations, kPositive);
  reader.Read("validation_iterations", &train->validation_iterations, kCount);
  reader.Read("batch_size", &train->batch_size, kPositive);
  reader.Read("gradient_accumulation", &train->gradient_accumulation, kPositive);
  for (const char* later : {"bfloat16", "float16"})
    reader.RefuseUnbuiltValue("precision", later, "use auto or float32");
  reader.Read("precision", &train->precision, OneOf({"auto", "float32"}));
  reader.Read("seed", &train->seed, kCount);
  reader.Read("threads", &train->threads, Between<std::int64_t>(0, 1024));
  reader.Read("learning_rate", &train->learning_rate, Between(0.0, 100.0));
  reader.Read("momentum", &train->momentum, Between(0.0, 1.0));
  reader.Read("weight_decay", &train->weight_decay, Between(0.0, 1.0));
  reader.Read("gradient_clip", &train->gradient_clip, Between(1e-12, 1e12));
  reader.Read("foreground_oversampling", &train->foreground_oversampling, Between(0.0, 1.0));
  reader.Read("checkpoint_every", &train->checkpoint_every, nullptr);
  reader.ReadMap("augmentation", [&](ConfigReader& nested) {
    nested.Read("mirror", &train->augmentation.mirror);
    nested.Read("intensity", &train->augmentation.intensity);
    for (const char* later : {"spatial", "blur", "low_resolution"})
      nested.RefuseUnbuilt(later, "mirror and intensity are what there is");
  });
  if (reader.status().ok() && train->batch_size % train->gradient_accumulation != 0)
    reader.Refuse("gradient_accumulation", Concat("a divisor of batch_size (", train->batch_size, ")"));
}

void ReadCluster(ConfigReader& reader, ClusterSpec* cluster) {
  reader.Read("ranks", &cluster->ranks, kPositive);
  reader.RefuseUnbuiltValue("backend", "mpi", "use auto, gloo or nccl; mpirun works with all of them");
  reader.Read("backend", &cluster->backend, OneOf({"auto", "gloo", "nccl"}));
  reader.Read("step_timeout", &cluster->step_timeout, Rule<Duration>([](const Duration& timeout) {
                return timeout >= std::chrono::seconds(1) ? std::string() : std::string("at least 1s");
              }));
  for (const char* later : {"min_ranks", "max_restarts", "checkpoint_every"})
    reader.RefuseUnbuilt(
        later, "restarts are by hand: train --resume (train.checkpoint_every sets how often a checkpoint is written)");
}

void ReadFederation(ConfigReader& reader, FederationSpec* federation) {
  ReadRounds(reader, federation);
  federation->local_momentum = LocalMomentum::kAuto;  // also where there is no `local`
  reader.ReadMap("local", [&](ConfigReader& nested) {
    nested.Read("epochs", &federation->local_epochs, kPositive);
    nested.Read("iterations", &federation->local_iterations, kPositive);
    if (nested.Has("epochs") && nested.Has("iterations"))
      nested.Refuse("iterations", "either epochs or iterations, not both");
    ReadLocalMomentum(nested, federation);
  });
  reader.ReadMap("strategy", [&](ConfigReader& nested) { ReadStrategy(nested, federation); });
  ReadPersonal(reader, federation);
  ReadSecure(reader, &federation->secure);
  reader.RefuseUnbuilt(
      "privacy",
      "it is a section of its own beside federation: privacy.records for each case, privacy.sites for whole sites");
  ReadCompression(reader, &federation->compression);
}

}  // namespace

StatusOr<JobSpec> ParseJob(const ConfigNode& root) {
  JobSpec job;
  ConfigReader reader(root);
  reader.Require("name");
  reader.Read("name", &job.name, [](const std::string& name) {
    return IsValidName(name) ? std::string() : std::string("1 to 63 lower-case letters, digits and '-'");
  });
  for (const char* later : {"image_classification", "node_classification", "link_prediction", "graph_classification"})
    reader.RefuseUnbuiltValue("task", later, "segmentation is what there is");
  reader.Read("task", &job.task, OneOf({"segmentation"}));
  reader.Require("data");
  reader.ReadMap("data", [&](ConfigReader& nested) { ReadData(nested, &job.data); });
  reader.Require("model");
  reader.ReadMap("model", [&](ConfigReader& nested) { ReadModel(nested, &job.model); });
  if (NeedsPlan(job)) job.train.batch_size = 0;
  reader.ReadMap("train", [&](ConfigReader& nested) { ReadTrain(nested, &job.train); });
  reader.ReadMap("cluster", [&](ConfigReader& nested) { ReadCluster(nested, &job.cluster); });
  job.has_federation = reader.Has("federation");
  reader.ReadMap("federation", [&](ConfigReader& nested) { ReadFederation(nested, &job.federation); });
  ReadPrivacy(reader, &job);
  reader.RefuseUnbuilt("simulation", "run the job with a coordinator and clients, or with consilium demo");
  RETURN_IF_ERROR(reader.Finish());
  if (NeedsPlan(job) && !job.has_federation)
    return InvalidArgument(root["model"]["architecture"].where(),
                           ": 'plan' needs model.plans, the plans file that consilium plan wrote");
  if (job.has_federation) {
    RETURN_IF_ERROR(ResolveSecure(root, &job));  // first: it may set the mode and the minimum of sites
    RETURN_IF_ERROR(ResolveStrategy(root, &job));
    RETURN_IF_ERROR(ResolveRounds(root, &job));
    RETURN_IF_ERROR(ResolvePersonal(root, &job));
  }
  RETURN_IF_ERROR(ResolvePrivacy(root, &job));
  if (!NeedsPlan(job) && (job.data.configuration == "2d") != (job.model.patch_size.size() == 2))
    return InvalidArgument(root["model"]["patch_size"].where(), ": data.configuration '", job.data.configuration,
                           "' needs ", job.data.configuration == "2d" ? 2 : 3, " sizes, found ",
                           job.model.patch_size.size());
  return job;
}

StatusOr<JobSpec> ReadJob(const std::filesystem::path& path, const std::vector<std::string>& assignments) {
  ASSIGN_OR_RETURN(JobSpec job, ReadJobToSubmit(path, assignments));
  if (!NeedsPlan(job)) return job;
  return InvalidArgument(path.string(),
                         ": model.architecture: plan, and no model.plans: the network is planned by the ",
                         "sites when the job begins (consilium submit); to use it here, name a plans file");
}

Json JobToJson(const JobSpec& job) {
  Json json = {{"name", job.name}, {"task", job.task}};
  json["data"] = {{"dataset", job.data.dataset}, {"configuration", job.data.configuration}};
  json["data"]["fold"] = job.data.fold < 0 ? Json("all") : Json(job.data.fold);
  if (!job.data.spacing.empty()) json["data"]["spacing"] = job.data.spacing;
  if (!job.data.normalization.empty()) json["data"]["normalization"] = NormalizationToJson(job.data.normalization);
  json["model"] = {{"architecture", job.model.architecture},
                   {"patch_size", job.model.patch_size},
                   {"base_features", job.model.base_features},
                   {"features_max", job.model.features_max},
                   {"strides", job.model.strides},
                   {"kernels", job.model.kernels},
                   {"deep_supervision", job.model.deep_supervision}};
  const TrainSpec& train = job.train;
  if (NeedsPlan(job)) {
    for (const char* decided : {"patch_size", "strides", "kernels"}) json["model"].erase(decided);
    if (job.model.base_features == 0) json["model"].erase("base_features");
    if (job.model.features_max == 0) json["model"].erase("features_max");
  }
  json["train"] = {
      {"epochs", train.epochs},
      {"iterations", train.iterations},
      {"validation_iterations", train.validation_iterations},
      {"batch_size", train.batch_size},
      {"gradient_accumulation", train.gradient_accumulation},
      {"precision", train.precision},
      {"seed", train.seed},
      {"threads", train.threads},
      {"learning_rate", train.learning_rate},
      {"momentum", train.momentum},
      {"weight_decay", train.weight_decay},
      {"gradient_clip", train.gradient_clip},
      {"foreground_oversampling", train.foreground_oversampling},
      {"augmentation", {{"mirror", train.augmentation.mirror}, {"intensity", train.augmentation.intensity}}},
      {"checkpoint_every", ExactDuration(train.checkpoint_every)}};
  if (train.batch_size == 0) json["train"].erase("batch_size");
  json["cluster"] = {{"ranks", job.cluster.ranks},
                     {"backend", job.cluster.backend},
                     {"step_timeout", ExactDuration(job.cluster.step_timeout)}};
  if (job.has_federation) {
    const FederationSpec& federation = job.federation;
    Json local = federation.local_iterations > 0 ? Json{{"iterations", federation.local_iterations}}
                                                 : Json{{"epochs", federation.local_epochs}};
    Json& rounds = json["federation"] = Json::object();
    AddRoundsJson(federation, &rounds);
    rounds["local"] = local;
    rounds["strategy"] = StrategyToJson(federation);
    rounds["compression"] = CompressionToJson(federation.compression);
    if (federation.secure.enabled) rounds["secure_aggregation"] = SecureToJson(federation.secure);
    if (job.site_privacy.enabled)  // whole updates are clipped, and cases are not counted
      for (const char* unused : {"clip", "examples_max"}) rounds["secure_aggregation"].erase(unused);
    AddPersonal(federation, &rounds);
  }
  if (Json privacy = PrivacyToJson(job); !privacy.empty()) json["privacy"] = std::move(privacy);
  return json;
}

std::string JobToYaml(const JobSpec& job) { return JsonToYaml(JobToJson(job)); }

Digest JobDigest(const JobSpec& job) { return Sha256Of(JobToJson(job).dump()); }

Schedule ScheduleOf(const JobSpec& job) {
  if (!job.has_federation) return {job.train.epochs, job.train.iterations, job.train.epochs};
  const FederationSpec& federation = job.federation;
  if (federation.local_iterations > 0) return {federation.rounds, federation.local_iterations, 1};
  return {federation.rounds * federation.local_epochs, job.train.iterations, federation.local_epochs};
}

}  // namespace consilium::wire
