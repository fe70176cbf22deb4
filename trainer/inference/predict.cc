#include "trainer/inference/predict.h"

#include <array>

#include "comm/base/file.h"
#include "comm/tensor/safetensors.h"
#include "datasets/image/image_io.h"
#include "datasets/raw/raw_dataset.h"
#include "trainer/models/parameters.h"
#include "trainer/models/registry.h"
#include "trainer/models/torch_guard.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

// Where a run stops decides which there are; the last epoch's weights are the published choice (nnU-Net).
constexpr std::array<const char*, 3> kCheckpointNames = {"final", "best", "latest"};

StatusOr<fs::path> FindCheckpoint(const fs::path& run, const std::string& checkpoint) {
  for (const char* name : kCheckpointNames) {
    const fs::path path = run / Concat("checkpoint_", name, ".safetensors");
    if ((checkpoint.empty() || checkpoint == name) && fs::exists(path)) return path;
  }
  if (checkpoint.empty())
    return NotFound(run.string(), " holds no checkpoint_final, checkpoint_best or checkpoint_latest.safetensors");
  return NotFound(run.string(), " holds no checkpoint_", checkpoint, ".safetensors; known: final, best, latest");
}

// Puts networks in eval mode and, when it goes, back as they were.
class EvalMode {
 public:
  explicit EvalMode(std::span<const std::shared_ptr<SegmentationModel>> networks) : networks_(networks) {
    for (const auto& network : networks_) {
      was_training_.push_back(network->is_training());
      network->eval();
    }
  }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;
  ~EvalMode() {
    for (std::size_t i = 0; i < networks_.size(); ++i)
      if (was_training_[i]) networks_[i]->train();
  }

 private:
  std::span<const std::shared_ptr<SegmentationModel>> networks_;
  std::vector<bool> was_training_;
};

Json DatasetJson(const ModelCard& card) {
  Json json;
  for (std::size_t i = 0; i < card.channel_names.size(); ++i)
    json["channel_names"][std::to_string(i)] = card.channel_names[i];
  for (const auto& [name, value] : card.labels) json["labels"][name] = value;
  json["numTraining"] = 0;
  json["file_ending"] = card.file_ending;
  return json;
}

// What was done, next to what came out of it.
Status WriteProvenance(const PredictOptions& options, const ModelCard& card) {
  RETURN_IF_ERROR(WriteJson(options.output / "dataset.json", DatasetJson(card)));
  Json json;
  json["models"] = Json::array();
  for (const fs::path& run : options.runs) json["models"].push_back(run.string());
  json["checkpoint"] = options.checkpoint.empty() ? "first of final, best, latest" : options.checkpoint;
  json["input"] = options.input.string();
  json["mirroring"] = options.mirroring == TestTimeMirroring::kOn;
  return WriteJson(options.output / "predict.json", json);
}

Status PredictFile(const datasets::CaseFiles& files, const ModelCard& card,
                   std::span<const std::shared_ptr<SegmentationModel>> networks, const SlidingWindowOptions& window,
                   const fs::path& output) {
  ASSIGN_OR_RETURN(const datasets::Image image, datasets::ReadCaseImage(files, card.input().channels));
  ASSIGN_OR_RETURN(const datasets::PreparedCase prepared,
                   datasets::PrepareCase(files.id, image, std::nullopt, PrepareOptionsOf(card)));
  ASSIGN_OR_RETURN(const datasets::LabelMap labels, PredictCase(networks, prepared, window));
  return datasets::WriteLabels(output / (files.id + card.file_ending), labels);
}

}  // namespace

torch::Device DefaultDevice() { return torch::cuda::is_available() ? torch::Device(torch::kCUDA, 0) : torch::kCPU; }

StatusOr<LoadedModel> LoadRun(const fs::path& run, const std::string& checkpoint, torch::Device device) {
  ASSIGN_OR_RETURN(ModelCard card, ReadModelCard(run));
  ASSIGN_OR_RETURN(const fs::path path, FindCheckpoint(run, checkpoint));
  ASSIGN_OR_RETURN(const tensor::ParameterVector parameters, tensor::ReadParameters(path));
  ASSIGN_OR_RETURN(std::shared_ptr<SegmentationModel> network, MakeModel(card.model, card.input(), /*seed=*/0));
  if (const Status imported = ImportParameters(parameters, *network); !imported.ok())
    return Annotate(imported, path.string());
  RETURN_IF_ERROR(GuardTorch("moving the model to its device", [&] {
    network->to(device);
    network->eval();
  }));
  return LoadedModel{.card = std::move(card), .network = std::move(network)};
}

Status CheckEnsemble(std::span<const LoadedModel> models) {
  for (std::size_t i = 1; i < models.size(); ++i) {
    const ModelCard &first = models[0].card, &other = models[i].card;
    const char* difference = first.channel_names != other.channel_names ? "channel_names"
                             : first.labels != other.labels             ? "labels"
                             : first.file_ending != other.file_ending   ? "file_ending"
                             : first.normalization != other.normalization || first.ct != other.ct ||
                                     first.normalize_inside_mask_only != other.normalize_inside_mask_only
                                 ? "normalization"
                             : !datasets::SameSpacing(first.spacing, other.spacing) ? "spacing"
                             : first.model.patch_size != other.model.patch_size     ? "model.patch_size"
                                                                                    : nullptr;
    if (difference != nullptr)
      return InvalidArgument("model 1 and model ", i + 1, " cannot be averaged: their ", difference,
                             " differ (model.json)");
  }
  return Status();
}

SlidingWindowOptions WindowOptionsFor(const ModelCard& card, TestTimeMirroring mirroring, torch::Device device) {
  SlidingWindowOptions options;
  options.patch_size = card.model.patch_size;
  if (mirroring == TestTimeMirroring::kOn) options.mirror_axes = card.mirror_axes;
  options.device = device;
  return options;
}

StatusOr<datasets::LabelMap> PredictCase(std::span<const std::shared_ptr<SegmentationModel>> networks,
                                         const datasets::PreparedCase& prepared, const SlidingWindowOptions& options) {
  CONSILIUM_CHECK(!networks.empty(), "no network to predict with");
  const EvalMode eval_mode(networks);
  const TilePredictor mean_logits = [&](const torch::Tensor& tiles) {
    torch::Tensor sum = networks[0]->forward(tiles)[0];
    for (const auto& network : networks.subspan(1)) sum = sum + network->forward(tiles)[0];
    return networks.size() == 1 ? sum : sum / static_cast<double>(networks.size());
  };
  ASSIGN_OR_RETURN(const std::vector<std::int16_t> labels, PredictLabels(prepared, mean_logits, options));
  return datasets::RestoreGrid(prepared, labels);
}

StatusOr<std::int64_t> PredictCases(const PredictOptions& options) {
  if (options.runs.empty()) return InvalidArgument("no model given");
  std::vector<LoadedModel> models;
  for (const fs::path& run : options.runs) {
    ASSIGN_OR_RETURN(LoadedModel model, LoadRun(run, options.checkpoint, options.device));
    models.push_back(std::move(model));
  }
  RETURN_IF_ERROR(CheckEnsemble(models));
  const ModelCard& card = models[0].card;
  std::vector<std::shared_ptr<SegmentationModel>> networks;
  for (const LoadedModel& model : models) networks.push_back(model.network);

  ASSIGN_OR_RETURN(const std::vector<datasets::CaseFiles> cases,
                   datasets::ListImageFolder(options.input, DescriptionOf(card)));
  RETURN_IF_ERROR(MakeDirectories(options.output));
  RETURN_IF_ERROR(WriteProvenance(options, card));
  const SlidingWindowOptions window = WindowOptionsFor(card, options.mirroring, options.device);
  const auto total = static_cast<std::int64_t>(cases.size());
  for (std::int64_t done = 0; done < total; ++done) {
    const datasets::CaseFiles& files = cases[static_cast<std::size_t>(done)];
    RETURN_IF_ERROR(PredictFile(files, card, networks, window, options.output));
    if (options.on_case) options.on_case(files.id, done + 1, total);
  }
  return total;
}

}  // namespace consilium::trainer
