#include "trainer/worker/evaluation_task.h"

#include <array>
#include <optional>

#include "comm/base/file.h"
#include "comm/tensor/safetensors.h"
#include "datasets/image/image_io.h"
#include "trainer/inference/predict.h"
#include "trainer/loop/device.h"
#include "trainer/models/parameters.h"
#include "trainer/models/registry.h"
#include "trainer/models/torch_guard.h"
#include "trainer/worker/held_out.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

StatusOr<LoadedModel> LoadModel(const EvaluationTask& task, const datasets::RawDataset& dataset) {
  ASSIGN_OR_RETURN(const wire::ModelSpec resolved, ResolveModel(task.job.model));
  ASSIGN_OR_RETURN(const datasets::PrepareOptions prepare, PrepareOptionsOf(task.job, dataset.description));
  if (dataset.cases.empty()) return InvalidArgument("the data set ", dataset.name, " has no cases");
  ASSIGN_OR_RETURN(const datasets::Image first,
                   datasets::ReadCaseImage(dataset.cases.front(), dataset.description.num_channels()));
  LoadedModel model;
  model.card = MakeModelCard(task.job, resolved, dataset.description, prepare, first.geometry.spacing);
  ASSIGN_OR_RETURN(model.network,
                   MakeModel(resolved, model.card.input(), static_cast<std::uint64_t>(task.job.train.seed)));
  ASSIGN_OR_RETURN(const tensor::ParameterVector parameters, tensor::ReadParameters(task.model));
  RETURN_IF_ERROR(Annotate(ImportParameters(parameters, *model.network), task.model.string()));
  RETURN_IF_ERROR(GuardTorch("moving the model to its device", [&] { model.network->to(DefaultDevice()); }));
  return model;
}

// Predicts one case, writes it and counts.
StatusOr<CaseEvaluation> EvaluateCase(const datasets::CaseFiles& files, const LoadedModel& model,
                                      const std::vector<std::int16_t>& labels, const fs::path& output) {
  ASSIGN_OR_RETURN(const datasets::Image image, datasets::ReadCaseImage(files, model.card.input().channels));
  RETURN_IF_ERROR(datasets::RequireSpacing(files.id, image.geometry.spacing, model.card.spacing));
  ASSIGN_OR_RETURN(const datasets::LabelMap truth, datasets::ReadLabels(files.label));
  ASSIGN_OR_RETURN(const datasets::PreparedCase prepared,
                   datasets::PrepareCase(files.id, image, std::nullopt, PrepareOptionsOf(model.card)));
  const SlidingWindowOptions window = WindowOptionsFor(model.card, TestTimeMirroring::kOff, DefaultDevice());
  ASSIGN_OR_RETURN(const datasets::LabelMap prediction, PredictCase(std::array{model.network}, prepared, window));
  CaseEvaluation evaluation;
  evaluation.prediction_file = (output / (files.id + model.card.file_ending)).string();
  evaluation.reference_file = files.label.string();
  RETURN_IF_ERROR(datasets::WriteLabels(evaluation.prediction_file, prediction));
  StatusOr<std::vector<LabelCounts>> counts = CountLabels(prediction, truth, labels);
  RETURN_IF_ERROR(Annotate(counts.status(), files.label.string()));
  evaluation.counts = *std::move(counts);
  return evaluation;
}

}  // namespace

StatusOr<EvaluationSummary> RunEvaluation(const EvaluationTask& task, TaskMonitor& monitor) {
  SetThreads(task.job.train.threads, /*local_world=*/1);
  ASSIGN_OR_RETURN(const fs::path folder, datasets::FindDataset(task.job.data.dataset, task.data_dir));
  ASSIGN_OR_RETURN(const datasets::RawDataset dataset, datasets::OpenRawDataset(folder));
  ASSIGN_OR_RETURN(const HeldOutCases held_out, FindHeldOut(dataset, task.job.data, task.data_dir));
  ASSIGN_OR_RETURN(const LoadedModel model, LoadModel(task, dataset));
  RETURN_IF_ERROR(MakeDirectories(task.output));
  EvaluationSummary summary;
  for (const auto& [name, value] : dataset.description.labels)
    if (value > 0) summary.labels.push_back(value);
  for (const datasets::CaseFiles& files : held_out.cases) {
    if (monitor.cancelled()) return Cancelled("evaluation was asked to stop");
    StatusOr<CaseEvaluation> evaluation = EvaluateCase(files, model, summary.labels, task.output);
    RETURN_IF_ERROR(Annotate(evaluation.status(), "evaluating case '", files.id, "'"));
    summary.cases.push_back(*std::move(evaluation));
    const auto done = static_cast<double>(summary.cases.size());
    monitor.Report(done / static_cast<double>(held_out.cases.size()), {{"cases", done}});
  }
  RETURN_IF_ERROR(WriteJson(task.output / "summary.json", summary.ToJson()));
  return summary;
}

}  // namespace consilium::trainer
