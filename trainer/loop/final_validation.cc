#include "trainer/loop/final_validation.h"

#include <algorithm>

#include "comm/base/file.h"
#include "datasets/image/image_io.h"
#include "trainer/loop/shared_counts.h"
#include "trainer/models/torch_guard.h"

namespace consilium::trainer {
namespace {

std::vector<std::int16_t> ForegroundLabels(const datasets::DatasetDescription& description) {
  std::vector<std::int16_t> labels;
  for (const auto& [name, value] : description.labels)
    if (value != 0) labels.push_back(value);
  std::sort(labels.begin(), labels.end());
  return labels;
}

std::filesystem::path PredictionPath(const FinalValidationOptions& options, const std::string& id) {
  return options.predictions / (id + options.data->dataset.description.file_ending);
}

StatusOr<std::vector<LabelCounts>> ValidateCase(const FinalValidationOptions& options,
                                                const datasets::PreparedCase& prepared,
                                                std::span<const std::int16_t> labels) {
  const std::shared_ptr<SegmentationModel> networks[] = {options.trainer->network()};
  const SlidingWindowOptions window =
      WindowOptionsFor(*options.card, options.mirroring, torch::Device(options.trainer->device()));
  ASSIGN_OR_RETURN(const datasets::LabelMap prediction, PredictCase(networks, prepared, window));
  RETURN_IF_ERROR(datasets::WriteLabels(PredictionPath(options, prepared.id), prediction));
  ASSIGN_OR_RETURN(const datasets::CaseFiles files, datasets::FindCase(options.data->dataset, prepared.id));
  ASSIGN_OR_RETURN(const datasets::LabelMap reference, datasets::ReadLabels(files.label));
  return CountLabels(prediction, reference, labels);
}

}  // namespace

StatusOr<EvaluationSummary> ValidateWholeCases(const FinalValidationOptions& options) {
  const std::vector<datasets::PreparedCase>& cases = options.data->validation;
  collective::Communicator& communicator = *options.communicator;
  EvaluationSummary summary;
  summary.labels = ForegroundLabels(options.data->dataset.description);
  RETURN_IF_ERROR(communicator.Agree(MakeDirectories(options.predictions)));
  const auto total = static_cast<std::int64_t>(cases.size());
  CountsByCase rows(cases.size());
  // In rounds of a case a rank, so that no rank waits longer for another than one case takes.
  for (std::int64_t first = 0; first < total; first += communicator.world()) {
    Status mine = options.should_stop && options.should_stop() ? Cancelled("validation was asked to stop") : Status();
    const std::int64_t number = first + communicator.rank();
    if (mine.ok() && number < total) {
      auto counts = ValidateCase(options, cases[static_cast<std::size_t>(number)], summary.labels);
      mine = counts.status();
      if (counts.ok()) rows[static_cast<std::size_t>(number)] = *std::move(counts);
    }
    RETURN_IF_ERROR(communicator.Agree(mine));
    if (options.on_cases) options.on_cases(std::min(first + communicator.world(), total), total);
  }
  RETURN_IF_ERROR(ShareCounts(communicator, summary.labels.size(), &rows));
  for (std::size_t number = 0; number < cases.size(); ++number) {
    const std::string& id = cases[number].id;
    ASSIGN_OR_RETURN(const datasets::CaseFiles files, datasets::FindCase(options.data->dataset, id));
    summary.cases.push_back({PredictionPath(options, id).string(), files.label.string(), rows[number]});
  }
  return summary;
}

}  // namespace consilium::trainer
