// The server's side of a federated strategy, as pure functions: no file, clock, thread or randomness.
//
// A round's updates are folded in three steps, the last two tile by tile, so that memory does not grow with the model:
//   1. Plan: from what is known of the updates (weights, metrics, their inner products) to numbers: one coefficient an
//      update, or a rule over order statistics.  All decisions fall here.
//   2. Combine (strategies/combine.h): the plan applied to one tile of all updates, in f64, in name order.
//   3. Step: the global tile, the combined tile and the state's tiles become the new global tile and the new state.
//
// Notation as in wire/strategy.h: x global model, y_i trained by site i, d_i = y_i - x, p_i share, n of N sites.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "comm/base/ids.h"
#include "comm/base/json.h"
#include "comm/base/status.h"
#include "comm/wire/job.h"
#include "comm/wire/messages.h"
#include "coordinator/strategies/gram.h"

namespace consilium::coordinator {

// What a rule may know of one contributor.
struct UpdateFacts {
  SiteName site;
  double weight = 1;            // in (0, kWeightMax] (fold.h)
  std::uint32_t staleness = 0;  // rounds between the model that it trained from and x
  wire::Metrics metrics;        // "tau", "loss_before", ...
};

struct PlanInput {
  std::span<const UpdateFacts> updates;  // in name order, at least one
  const GramMatrix& gram;                // filled as far as geometry() asks
  std::span<const SiteName> sites;       // all of the job's sites, contributors or not
  const Json& memory;                    // what the last Plan left in FoldPlan::memory; null at first
};

enum class CombineRule {
  kWeightedSum,       // sum_i coefficient_i * v_i
  kMedian,            // of each coordinate; the mean of the middle two for an even number
  kTrimmedMean,       // of each coordinate, without the `trim` largest and smallest
  kMeanAroundMedian,  // of each coordinate: the mean of the `keep` values nearest to the median
};

// A model of their own for some sites: sum_i coefficient_i * y_i.
struct Mix {
  std::vector<SiteName> sites;
  std::vector<double> coefficients;  // one an update
};

struct FoldPlan {
  CombineRule rule = CombineRule::kWeightedSum;
  // One an update: the sum's coefficients; for the other rules, an update with 0 takes no part.
  std::vector<double> coefficients;
  std::size_t trim = 0, keep = 0;
  std::vector<double> auxiliary_coefficients;  // of the sum over aux tensors; empty where there are none
  std::vector<Mix> mixes;                      // sites in none of them keep the model that they have
  double participation = 1;                    // n / N
  Json notes = Json::object();                 // scalars for people: metrics.jsonl
  Json memory;                                 // to be kept until the next Plan; small
};

// One tile in step 3.  All spans have equal sizes.
struct ServerTile {
  std::span<const float> global;             // x; empty where updates are weights: then it is not read
  std::span<const double> combined;          // of weights or of deltas: spec().update
  std::span<const double> auxiliary;         // combined; empty where there is none
  std::span<const std::span<double>> state;  // one a StateTensor: old values in, new values out (stored as f32)
  std::span<double> model;                   // out: the new global values
};

// What is kept between rounds for every value of the model.
struct StateTensor {
  std::string_view name;  // "momentum"
  double initial = 0;
};

// Immutable and thread-safe.
class Strategy {
 public:
  virtual ~Strategy() = default;
  const wire::StrategySpec& spec() const { return *spec_; }

  virtual Geometry geometry() const { return Geometry::kNone; }
  virtual std::vector<StateTensor> state() const { return {}; }
  // Errors: FailedPrecondition when no model can be made of these updates (too few for the rule, a metric is missing):
  // says what was needed.
  virtual StatusOr<FoldPlan> Plan(const PlanInput& input) const = 0;
  // As it stands: y = combined, or x + combined where updates are deltas.
  virtual void Step(const FoldPlan& plan, const ServerTile& tile) const;

 protected:
  explicit Strategy(const wire::FederationSpec& federation);
  double Parameter(std::string_view name) const { return wire::ParameterOf(federation_, name); }
  const wire::FederationSpec& federation() const { return federation_; }

 private:
  wire::FederationSpec federation_;
  const wire::StrategySpec* spec_;
};

// For a federation that ParseJob returned: name and parameters are known to be good.
std::unique_ptr<const Strategy> MakeStrategy(const wire::FederationSpec& federation);

}  // namespace consilium::coordinator
