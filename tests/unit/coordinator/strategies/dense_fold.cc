#include "tests/unit/coordinator/strategies/dense_fold.h"

#include <algorithm>
#include <cmath>

#include "coordinator/strategies/combine.h"

namespace consilium::coordinator {

wire::FederationSpec Federation(const std::string& strategy, const wire::StrategyParameters& changes) {
  wire::FederationSpec federation;
  federation.strategy = strategy;
  federation.strategy_parameters = wire::DefaultParameters(*wire::FindStrategy(strategy));
  for (const auto& [name, value] : changes) federation.strategy_parameters.at(name) = value;
  return federation;
}

std::string SiteNumber(std::size_t i) { return "hospital-" + std::to_string(i); }

Vector RandomVector(Rng* rng, std::size_t size) {
  Vector vector(size);
  for (double& value : vector) value = static_cast<float>(rng->Normal());
  return vector;
}

double Distance(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

Vector Difference(const Vector& a, const Vector& b) { return Combination({1, -1}, {a, b}); }

Vector Combination(const Vector& c, const std::vector<Vector>& v) {
  Vector sum(v.front().size());
  for (std::size_t i = 0; i < c.size(); ++i)
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += c[i] * v[i][k];
  return sum;
}

DenseFold::DenseFold(const wire::FederationSpec& federation, Vector start, std::size_t sites)
    : strategy_(MakeStrategy(federation)), model_(std::move(start)) {
  for (std::size_t i = 0; i < sites; ++i) sites_.emplace_back(SiteNumber(i));
  for (const StateTensor& tensor : strategy_->state())
    state_.emplace_back(model_.size(), static_cast<float>(tensor.initial));
}

const Vector& DenseFold::ModelOf(const std::string& site) const {
  const auto own = site_models_.find(site);
  return own == site_models_.end() ? model_ : own->second;
}

DenseUpdate DenseFold::UpdateOf(const std::string& site, const Vector& trained, double weight) const {
  return {.site = site, .values = deltas() ? Difference(trained, model_) : trained, .weight = weight};
}

Status DenseFold::Fold(std::vector<DenseUpdate> updates) {
  std::ranges::stable_sort(updates, {}, &DenseUpdate::site);
  std::vector<UpdateFacts> facts;
  std::vector<Vector> deltas_of;
  std::vector<std::span<const double>> rows;
  for (const DenseUpdate& update : updates) {
    facts.push_back({SiteName(update.site), update.weight, update.staleness, update.metrics});
    deltas_of.push_back(deltas() ? update.values
                                 : Difference(update.values, update.base.empty() ? model_ : update.base));
    rows.push_back(update.values);
  }
  GramMatrix gram(updates.size());
  for (std::size_t at = 0; at < model_.size(); at += kGramBlock) {
    std::vector<const double*> block;
    for (const Vector& delta : deltas_of) block.push_back(delta.data() + at);
    AddProducts(block, std::min(kGramBlock, model_.size() - at), strategy_->geometry(), &gram);
  }
  ASSIGN_OR_RETURN(plan_, strategy_->Plan({facts, gram, sites_, memory_}));
  memory_ = plan_.memory;

  const auto sum_of = [&](const Vector& coefficients, auto values) {
    Vector sum(model_.size());
    Term term = Term::kFirst;
    for (std::size_t i = 0; i < coefficients.size(); ++i) {
      if (coefficients[i] == 0) continue;
      AddTerm(term, coefficients[i], values(i), sum);
      term = Term::kFurther;
    }
    return sum;
  };
  const auto row = [&](std::size_t i) { return rows[i]; };
  Vector combined(model_.size()), scratch;
  if (plan_.rule == CombineRule::kWeightedSum) {
    combined = sum_of(plan_.coefficients, row);
  } else {
    CombineOrdered(plan_, rows, &scratch, combined);
  }
  Vector auxiliary;
  if (!plan_.auxiliary_coefficients.empty())
    auxiliary =
        sum_of(plan_.auxiliary_coefficients, [&](std::size_t i) -> const Vector& { return updates[i].auxiliary; });
  const std::vector<float> global(model_.begin(), model_.end());
  std::vector<std::span<double>> state(state_.begin(), state_.end());
  strategy_->Step(plan_, {global, combined, auxiliary, state, model_});
  const auto round = [](Vector* values) {
    for (double& value : *values) value = static_cast<float>(value);
  };
  round(&model_);
  for (Vector& tensor : state_) round(&tensor);
  for (const Mix& mix : plan_.mixes) {
    Vector own = sum_of(mix.coefficients, row);
    round(&own);
    for (const SiteName& site : mix.sites) site_models_[site.value()] = own;
  }
  return Status();
}

}  // namespace consilium::coordinator
