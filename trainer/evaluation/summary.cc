#include "trainer/evaluation/summary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace consilium::trainer {
namespace {

struct Metric {
  const char* name;  // upstream's
  double (*value)(const CaseEvaluation&, std::size_t label_index);
  bool is_count;    // written as a whole number for a case; its mean is not one
  bool is_surface;  // there where borders were measured
};

template <auto Value>
double OfCounts(const CaseEvaluation& evaluation, std::size_t label_index) {
  return Value(evaluation.counts.at(label_index));
}
double Count(std::int64_t voxels) { return static_cast<double>(voxels); }

// In the order in which upstream writes them: sorted by name.
constexpr std::array<Metric, 10> kMetrics = {{
    {"Dice", OfCounts<[](const LabelCounts& c) { return c.Dice(); }>, false, false},
    {"FN", OfCounts<[](const LabelCounts& c) { return Count(c.false_negative); }>, true, false},
    {"FP", OfCounts<[](const LabelCounts& c) { return Count(c.false_positive); }>, true, false},
    {"HD95", [](const CaseEvaluation& e, std::size_t i) { return e.surfaces.at(i).hausdorff_95; }, false, true},
    {"IoU", OfCounts<[](const LabelCounts& c) { return c.IntersectionOverUnion(); }>, false, false},
    {"NSD", [](const CaseEvaluation& e, std::size_t i) { return e.surfaces.at(i).surface_dice; }, false, true},
    {"TN", OfCounts<[](const LabelCounts& c) { return Count(c.true_negative); }>, true, false},
    {"TP", OfCounts<[](const LabelCounts& c) { return Count(c.true_positive); }>, true, false},
    {"n_pred", OfCounts<[](const LabelCounts& c) { return Count(c.predicted()); }>, true, false},
    {"n_ref", OfCounts<[](const LabelCounts& c) { return Count(c.reference()); }>, true, false},
}};

Json NumberOrNull(double value) { return std::isnan(value) ? Json(nullptr) : Json(value); }

bool IsMeasured(const Metric& metric, const CaseEvaluation& evaluation) {
  return !metric.is_surface || !evaluation.surfaces.empty();
}

double MeanOverCases(const EvaluationSummary& summary, std::size_t label_index, const Metric& metric) {
  std::vector<double> values;
  for (const CaseEvaluation& evaluation : summary.cases)
    if (IsMeasured(metric, evaluation)) values.push_back(metric.value(evaluation, label_index));
  return NanMean(values);
}

double MeanOverLabels(const EvaluationSummary& summary, const Metric& metric) {
  std::vector<double> values;
  for (std::size_t i = 0; i < summary.labels.size(); ++i) values.push_back(MeanOverCases(summary, i, metric));
  return NanMean(values);
}

// Those that one case at least has.
std::vector<Metric> MetricsOf(const EvaluationSummary& summary) {
  std::vector<Metric> metrics;
  for (const Metric& metric : kMetrics)
    if (!metric.is_surface || std::any_of(summary.cases.begin(), summary.cases.end(),
                                          [&](const CaseEvaluation& one) { return IsMeasured(metric, one); }))
      metrics.push_back(metric);
  return metrics;
}

const Metric& Named(std::string_view name) {
  return *std::find_if(kMetrics.begin(), kMetrics.end(), [&](const Metric& metric) { return metric.name == name; });
}

Json CaseMetrics(const CaseEvaluation& evaluation, std::size_t label_index) {
  Json json;
  for (const Metric& metric : kMetrics) {
    if (!IsMeasured(metric, evaluation)) continue;
    const double value = metric.value(evaluation, label_index);
    json[metric.name] = metric.is_count ? Json(static_cast<std::int64_t>(value)) : NumberOrNull(value);
  }
  return json;
}

}  // namespace

double EvaluationSummary::MeanDice(std::size_t label_index) const {
  return MeanOverCases(*this, label_index, Named("Dice"));
}

double EvaluationSummary::ForegroundMeanDice() const { return MeanOverLabels(*this, Named("Dice")); }

SurfaceScores EvaluationSummary::MeanSurface(std::size_t label_index) const {
  return {.hausdorff_95 = MeanOverCases(*this, label_index, Named("HD95")),
          .surface_dice = MeanOverCases(*this, label_index, Named("NSD"))};
}

Json EvaluationSummary::ToJson() const {
  const std::vector<Metric> metrics_told = MetricsOf(*this);
  Json json;
  json["foreground_mean"] = Json::object();
  for (const Metric& metric : metrics_told)
    json["foreground_mean"][metric.name] = NumberOrNull(MeanOverLabels(*this, metric));
  json["mean"] = Json::object();
  for (std::size_t i = 0; i < labels.size(); ++i)
    for (const Metric& metric : metrics_told)
      json["mean"][std::to_string(labels[i])][metric.name] = NumberOrNull(MeanOverCases(*this, i, metric));
  json["metric_per_case"] = Json::array();
  for (const CaseEvaluation& evaluation : cases) {
    Json metrics = Json::object();
    for (std::size_t i = 0; i < labels.size(); ++i) metrics[std::to_string(labels[i])] = CaseMetrics(evaluation, i);
    json["metric_per_case"].push_back({{"metrics", std::move(metrics)},
                                       {"prediction_file", evaluation.prediction_file},
                                       {"reference_file", evaluation.reference_file}});
  }
  return json;
}

}  // namespace consilium::trainer
