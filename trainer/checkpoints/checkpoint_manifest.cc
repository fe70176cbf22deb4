#include "trainer/checkpoints/checkpoint_manifest.h"

#include "comm/base/json_number.h"

namespace consilium::trainer {
namespace {

constexpr int kFormat = 1;

Json OptionalNumber(const std::optional<double>& number) { return number ? Json(*number) : Json(nullptr); }

std::optional<double> NumberOrNull(const Json& json) {
  return json.is_null() ? std::nullopt : std::optional<double>(json.get<double>());
}

Json FileToJson(const CheckpointManifest::File& file) { return {{"name", file.name}, {"sha256", file.sha256.ToHex()}}; }

StatusOr<CheckpointManifest::File> FileFromJson(const Json& json) {
  CheckpointManifest::File file;
  file.name = json.at("name").get<std::string>();
  // The name is followed into the folder, so it may not lead out of it.
  if (file.name.empty() || file.name.find('/') != std::string::npos || file.name.front() == '.')
    return DataLoss("'", file.name, "' is not the name of a checkpoint's file");
  ASSIGN_OR_RETURN(file.sha256, Digest::FromHex(json.at("sha256").get<std::string>()));
  return file;
}

StatusOr<CheckpointManifest> Parse(const Json& json) {
  if (WholeNumber<int>(json.at("format")) != kFormat)
    return DataLoss("format ", json.at("format").dump(), " is not known to this version, which reads ", kFormat);
  CheckpointManifest manifest;
  CheckpointMeta& meta = manifest.meta;
  meta.epoch = WholeNumber<std::int64_t>(json.at("epoch"));
  meta.iteration = WholeNumber<std::int64_t>(json.at("iteration"));
  meta.step = WholeNumber<std::int64_t>(json.at("step"));
  meta.loss_sum = json.at("loss_sum").get<double>();
  meta.seconds = json.at("seconds").get<double>();
  meta.world = WholeNumber<int>(json.at("world"));
  meta.threads = WholeNumber<int>(json.at("threads"));
  meta.job_digest = json.at("job_digest").get<std::string>();
  meta.ema_dice = NumberOrNull(json.at("ema_dice"));
  meta.best_ema_dice = NumberOrNull(json.at("best_ema_dice"));
  meta.metrics = json.at("metrics");
  const Json& files = json.at("files");
  ASSIGN_OR_RETURN(manifest.weights, FileFromJson(files.at("weights")));
  if (files.contains("optimizer")) {
    ASSIGN_OR_RETURN(manifest.optimizer, FileFromJson(files.at("optimizer")));
  }
  return manifest;
}

}  // namespace

Json ManifestToJson(const CheckpointManifest& manifest) {
  const CheckpointMeta& meta = manifest.meta;
  Json files = {{"weights", FileToJson(manifest.weights)}};
  if (manifest.optimizer) files["optimizer"] = FileToJson(*manifest.optimizer);
  return {{"format", kFormat},
          {"epoch", meta.epoch},
          {"iteration", meta.iteration},
          {"step", meta.step},
          {"loss_sum", meta.loss_sum},
          {"seconds", meta.seconds},
          {"world", meta.world},
          {"threads", meta.threads},
          {"job_digest", meta.job_digest},
          {"ema_dice", OptionalNumber(meta.ema_dice)},
          {"best_ema_dice", OptionalNumber(meta.best_ema_dice)},
          {"metrics", meta.metrics},
          {"files", files}};
}

StatusOr<CheckpointManifest> ManifestFromJson(const Json& json) {
  try {
    return Parse(json);
  } catch (const Json::exception& error) {
    return DataLoss("not a checkpoint's manifest: ", error.what());
  }
}

}  // namespace consilium::trainer
