// A strategy over whole vectors in memory: Plan, Combine and Step as aggregate.cc does them on files.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "comm/base/rng.h"
#include "coordinator/strategies/strategy.h"

namespace consilium::coordinator {

using Vector = std::vector<double>;

// What site `site` sends: what it trained, or its delta where the strategy works on deltas.
struct DenseUpdate {
  std::string site;
  Vector values;
  double weight = 1;
  wire::Metrics metrics{};
  std::uint32_t staleness = 0;
  Vector auxiliary{};
  Vector base{};  // weights that it trained from; empty: the global model
};

wire::FederationSpec Federation(const std::string& strategy, const wire::StrategyParameters& changes = {});
// hospital-0, hospital-1, ...: at most 10.
std::string SiteNumber(std::size_t i);
// Normal numbers that f32 holds exactly.
Vector RandomVector(Rng* rng, std::size_t size);
double Distance(const Vector& a, const Vector& b);
Vector Difference(const Vector& a, const Vector& b);
// sum_i c_i v_i.
Vector Combination(const Vector& c, const std::vector<Vector>& v);

class DenseFold {
 public:
  DenseFold(const wire::FederationSpec& federation, Vector start, std::size_t sites);
  // In any order; sorted by name as the job machine does.
  Status Fold(std::vector<DenseUpdate> updates);

  bool deltas() const { return strategy_->spec().update == wire::UpdateKind::kDelta; }
  const Vector& model() const { return model_; }
  const Vector& state(std::size_t i) const { return state_[i]; }
  // The site's own model, or the global one.
  const Vector& ModelOf(const std::string& site) const;
  const FoldPlan& plan() const { return plan_; }
  // An update of this strategy's kind from what was trained.
  DenseUpdate UpdateOf(const std::string& site, const Vector& trained, double weight = 1) const;

 private:
  std::unique_ptr<const Strategy> strategy_;
  Vector model_;
  std::vector<SiteName> sites_;
  std::vector<Vector> state_;
  std::map<std::string, Vector> site_models_;
  Json memory_;
  FoldPlan plan_;
};

}  // namespace consilium::coordinator
