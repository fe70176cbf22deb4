#include "trainer/worker/evaluation_task.h"

#include <array>
#include <optional>

#include "comm/base/file.h"
#include "datasets/image/image_io.h"
#include "trainer/inference/predict.h"
#include "trainer/loop/device.h"
#include "trainer/loop/shared_counts.h"
#include "trainer/models/parameters.h"
#include "trainer/models/registry.h"
#include "trainer/models/torch_guard.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

// The network with rank 0's weights, on every rank.
StatusOr<LoadedModel> LoadModel(const EvaluationTask& task, const datasets::RawDataset& dataset) {
  ASSIGN_OR_RETURN(const wire::ModelSpec resolved, ResolveModel(task.job.model));
  ASSIGN_OR_RETURN(const datasets::PrepareOptions prepare, PrepareOptionsOf(task.job, dataset.description));
  if (dataset.cases.empty()) return InvalidArgument("the data set ", dataset.name, " has no cases");
  ASSIGN_OR_RETURN(const datasets::Image first,
                   datasets::ReadCaseImage(dataset.cases.front(), dataset.description.num_channels()));
  LoadedModel model;
  model.card = MakeModelCard(task.job, resolved, dataset.description, prepare,
                             datasets::PreparedSpacing(first.geometry.spacing, prepare));
  ASSIGN_OR_RETURN(model.network,
                   MakeModel(resolved, model.card.input(), static_cast<std::uint64_t>(task.job.train.seed)));
  if (task.gang.rank() == 0) RETURN_IF_ERROR(ImportParameters(task.weights, *model.network));
  return model;
}

Status ShareWeights(collective::Communicator& gang, SegmentationModel& network) {
  for (const auto& tensors : {network.parameters(), network.buffers()})
    for (const torch::Tensor& tensor : tensors) {
      torch::Tensor values = tensor.detach();
      RETURN_IF_ERROR(gang.Broadcast(values, /*root=*/0, "sharing the model to evaluate"));
    }
  return GuardTorch("moving the model to its device", [&] { network.to(DefaultDevice()); });
}

// Predicts one case, writes it and counts.
StatusOr<std::vector<LabelCounts>> EvaluateCase(const datasets::CaseFiles& files, const LoadedModel& model,
                                                const std::vector<std::int16_t>& labels, const fs::path& prediction) {
  ASSIGN_OR_RETURN(const datasets::Image image, datasets::ReadCaseImage(files, model.card.input().channels));
  ASSIGN_OR_RETURN(const datasets::LabelMap truth, datasets::ReadLabels(files.label));
  ASSIGN_OR_RETURN(const datasets::PreparedCase prepared,
                   datasets::PrepareCase(files.id, image, std::nullopt, PrepareOptionsOf(model.card)));
  const SlidingWindowOptions window = WindowOptionsFor(model.card, TestTimeMirroring::kOff, DefaultDevice());
  ASSIGN_OR_RETURN(const datasets::LabelMap predicted, PredictCase(std::array{model.network}, prepared, window));
  RETURN_IF_ERROR(datasets::WriteLabels(prediction, predicted));
  StatusOr<std::vector<LabelCounts>> counts = CountLabels(predicted, truth, labels);
  RETURN_IF_ERROR(Annotate(counts.status(), files.label.string()));
  return counts;
}

}  // namespace

StatusOr<EvaluationSummary> RunEvaluation(const EvaluationTask& task, TaskMonitor& monitor) {
  collective::Communicator& gang = task.gang;
  SetThreads(task.job.train.threads, gang.local_world());
  datasets::RawDataset dataset;
  HeldOutCases held_out;
  LoadedModel model;
  RETURN_IF_ERROR(gang.Agree([&]() -> Status {
    ASSIGN_OR_RETURN(const fs::path folder, datasets::FindDataset(task.job.data.dataset, task.data_dir));
    ASSIGN_OR_RETURN(dataset, datasets::OpenRawDataset(folder));
    ASSIGN_OR_RETURN(held_out, FindCases(dataset, task.job.data, task.data_dir, task.cases));
    ASSIGN_OR_RETURN(model, LoadModel(task, dataset));
    return MakeDirectories(task.output);
  }()));
  RETURN_IF_ERROR(ShareWeights(gang, *model.network));

  EvaluationSummary summary;
  for (const auto& [name, value] : dataset.description.labels)
    if (value > 0) summary.labels.push_back(value);
  const std::vector<datasets::CaseFiles>& cases = held_out.cases;
  const auto world = static_cast<std::size_t>(gang.world());
  const auto prediction_of = [&](const datasets::CaseFiles& files) {
    return task.output / (files.id + model.card.file_ending);
  };
  CountsByCase rows(cases.size());
  // A case a rank at a time, so that no rank waits longer for another than one case takes.
  for (std::size_t first = 0; first < cases.size(); first += world) {
    Status mine = monitor.cancelled() ? Cancelled("evaluation was asked to stop") : Status();
    const std::size_t number = first + static_cast<std::size_t>(gang.rank());
    if (mine.ok() && number < cases.size()) {
      auto counts = EvaluateCase(cases[number], model, summary.labels, prediction_of(cases[number]));
      mine = Annotate(counts.status(), "evaluating case '", cases[number].id, "'");
      if (counts.ok()) rows[number] = *std::move(counts);
    }
    RETURN_IF_ERROR(gang.Agree(mine));
    const std::size_t done = std::min(first + world, cases.size());
    const double part = static_cast<double>(done) / static_cast<double>(cases.size());
    monitor.Report(task.progress_begin + part * (task.progress_end - task.progress_begin),
                   {{"cases", static_cast<double>(done)}});
  }
  RETURN_IF_ERROR(ShareCounts(gang, summary.labels.size(), &rows));
  for (std::size_t number = 0; number < cases.size(); ++number)
    summary.cases.push_back({prediction_of(cases[number]).string(), cases[number].label.string(), rows[number]});
  RETURN_IF_ERROR(gang.Agree(gang.rank() == 0 ? WriteJson(task.output / "summary.json", summary.ToJson()) : Status()));
  return summary;
}

StatusOr<tensor::ParameterVector> SeededWeights(const wire::JobSpec& job, const datasets::RawDataset& dataset) {
  ASSIGN_OR_RETURN(const wire::ModelSpec resolved, ResolveModel(job.model));
  const ModelInput input{.channels = dataset.description.num_channels(), .classes = dataset.description.num_classes()};
  ASSIGN_OR_RETURN(const auto network, MakeModel(resolved, input, static_cast<std::uint64_t>(job.train.seed)));
  return ExportParameters(*network);
}

}  // namespace consilium::trainer
