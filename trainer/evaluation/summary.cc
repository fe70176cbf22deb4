#include "trainer/evaluation/summary.h"

#include <array>
#include <cmath>

namespace consilium::trainer {
namespace {

struct Metric {
  const char* name;  // upstream's
  double (*value)(const LabelCounts&);
  bool is_count;  // written as a whole number for a case; its mean is not one
};

// In the order in which upstream writes them: sorted by name.
constexpr std::array<Metric, 8> kMetrics = {{
    {"Dice", [](const LabelCounts& c) { return c.Dice(); }, false},
    {"FN", [](const LabelCounts& c) { return static_cast<double>(c.false_negative); }, true},
    {"FP", [](const LabelCounts& c) { return static_cast<double>(c.false_positive); }, true},
    {"IoU", [](const LabelCounts& c) { return c.IntersectionOverUnion(); }, false},
    {"TN", [](const LabelCounts& c) { return static_cast<double>(c.true_negative); }, true},
    {"TP", [](const LabelCounts& c) { return static_cast<double>(c.true_positive); }, true},
    {"n_pred", [](const LabelCounts& c) { return static_cast<double>(c.predicted()); }, true},
    {"n_ref", [](const LabelCounts& c) { return static_cast<double>(c.reference()); }, true},
}};

Json NumberOrNull(double value) { return std::isnan(value) ? Json(nullptr) : Json(value); }

double MeanOverCases(const EvaluationSummary& summary, std::size_t label_index, const Metric& metric) {
  std::vector<double> values;
  for (const CaseEvaluation& evaluation : summary.cases)
    values.push_back(metric.value(evaluation.counts.at(label_index)));
  return NanMean(values);
}

double MeanOverLabels(const EvaluationSummary& summary, const Metric& metric) {
  std::vector<double> values;
  for (std::size_t i = 0; i < summary.labels.size(); ++i) values.push_back(MeanOverCases(summary, i, metric));
  return NanMean(values);
}

Json CaseMetrics(const LabelCounts& counts) {
  Json json;
  for (const Metric& metric : kMetrics) {
    const double value = metric.value(counts);
    json[metric.name] = metric.is_count ? Json(static_cast<std::int64_t>(value)) : NumberOrNull(value);
  }
  return json;
}

}  // namespace

double EvaluationSummary::MeanDice(std::size_t label_index) const {
  return MeanOverCases(*this, label_index, kMetrics[0]);
}

double EvaluationSummary::ForegroundMeanDice() const { return MeanOverLabels(*this, kMetrics[0]); }

Json EvaluationSummary::ToJson() const {
  Json json;
  json["foreground_mean"] = Json::object();
  for (const Metric& metric : kMetrics)
    json["foreground_mean"][metric.name] = NumberOrNull(MeanOverLabels(*this, metric));
  json["mean"] = Json::object();
  for (std::size_t i = 0; i < labels.size(); ++i)
    for (const Metric& metric : kMetrics)
      json["mean"][std::to_string(labels[i])][metric.name] = NumberOrNull(MeanOverCases(*this, i, metric));
  json["metric_per_case"] = Json::array();
  for (const CaseEvaluation& evaluation : cases) {
    Json metrics = Json::object();
    for (std::size_t i = 0; i < labels.size(); ++i)
      metrics[std::to_string(labels[i])] = CaseMetrics(evaluation.counts.at(i));
    json["metric_per_case"].push_back({{"metrics", std::move(metrics)},
                                       {"prediction_file", evaluation.prediction_file},
                                       {"reference_file", evaluation.reference_file}});
  }
  return json;
}

}  // namespace consilium::trainer
