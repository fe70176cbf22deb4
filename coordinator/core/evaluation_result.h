// What came of asking sites to evaluate models.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "coordinator/core/records.h"

namespace consilium::coordinator {

struct EvaluationResult {
  Purpose purpose = Purpose::kFinal;
  wire::TaskKind kind = wire::TaskKind::kEvaluate;
  Round round{};  // whose model it was; cross-site: the last one
  // [subject][site]: what this site found for that subject's model ("" the global one, or the site's own where sites
  // have models of their own).
  std::map<std::string, std::map<SiteName, wire::Metrics>> metrics;
  std::map<SiteName, std::string> missing;  // and why
  friend bool operator==(const EvaluationResult&, const EvaluationResult&) = default;

  // Each metric over the sites that report a finite value of it, weighed by their "cases" (1 when not said).  "cases"
  // itself is the sum.
  wire::Metrics Mean(const std::string& subject = "") const;
};

// The best of the models that were validated.
struct BestModel {
  Round round{};
  wire::BlobManifest model;
  Digest parameters;
  double value = 0;  // of the plan's metric
  friend bool operator==(const BestModel&, const BestModel&) = default;
};

}  // namespace consilium::coordinator
