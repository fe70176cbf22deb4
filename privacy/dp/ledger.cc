#include "privacy/dp/ledger.h"

#include <cmath>
#include <vector>

#include "comm/base/json.h"
#include "privacy/dp/pld.h"
#include "privacy/dp/rdp.h"

namespace consilium::dp {
namespace {

constexpr char kFormat[] = "consilium privacy ledger 1";

// Releases of one kind are one entry with the sum of their steps: the accountant's work grows with kinds only.
std::vector<SampledGaussian> Merged(const std::map<std::string, SampledGaussian>& charges, const std::string& scope,
                                    const SampledGaussian& more) {
  std::map<std::pair<double, double>, std::int64_t> kinds;
  const auto add = [&](const SampledGaussian& mechanism) {
    if (mechanism.steps > 0) kinds[{mechanism.noise_multiplier, mechanism.sampling_rate}] += mechanism.steps;
  };
  for (const auto& [release, mechanism] : charges)
    if (release.starts_with(scope)) add(mechanism);
  add(more);
  std::vector<SampledGaussian> merged;
  for (const auto& [kind, steps] : kinds) merged.push_back({kind.first, kind.second, steps});
  return merged;
}

StatusOr<double> RenyiOf(const std::vector<SampledGaussian>& mechanisms, double delta) {
  if (mechanisms.empty()) return 0.0;
  RdpCurve curve;
  for (const SampledGaussian& mechanism : mechanisms) RETURN_IF_ERROR(curve.Add(mechanism));
  ASSIGN_OR_RETURN(const RdpEpsilon renyi, EpsilonOf(curve, delta));
  return renyi.epsilon;
}

StatusOr<Spending> SpendingOf(const std::vector<SampledGaussian>& mechanisms, double delta) {
  if (mechanisms.empty()) return Spending();
  ASSIGN_OR_RETURN(const double renyi, RenyiOf(mechanisms, delta));
  const StatusOr<EpsilonBounds> bounds = PldEpsilon(mechanisms, delta, {.gap = 0.1});
  if (bounds.code() == StatusCode::kResourceExhausted) return Spending{renyi, renyi};
  if (!bounds.ok()) return bounds.status();
  return Spending{std::min(bounds->upper, renyi), renyi};
}

}  // namespace

StatusOr<std::unique_ptr<Ledger>> Ledger::Open(const std::filesystem::path& folder, const Budget& budget,
                                               const std::string& scope) {
  if (!(budget.epsilon > 0) || std::isinf(budget.epsilon))
    return InvalidArgument("a budget with epsilon ", budget.epsilon, "; it must be above 0 and finite");
  RETURN_IF_ERROR(CheckDelta(budget.delta));
  ASSIGN_OR_RETURN(FolderLock lock, FolderLock::Acquire(folder));
  std::unique_ptr<Ledger> ledger(new Ledger(folder / "ledger.json", budget, scope, std::move(lock)));
  RETURN_IF_ERROR(ledger->Read());
  return ledger;
}

Status Ledger::Read() {
  const StatusOr<Json> json = ReadJson(path_);
  if (json.code() == StatusCode::kNotFound) return Status();
  if (!json.ok())
    return DataLoss("the privacy ledger cannot be read, so nothing may be released: ", json.status().message());
  try {
    if (json->at("format") != kFormat) return DataLoss(path_.string(), " is not a privacy ledger of ours");
    for (const auto& [release, charge] : json->at("charges").items()) {
      const SampledGaussian mechanism = {.noise_multiplier = charge.at("noise_multiplier").get<double>(),
                                         .sampling_rate = charge.at("sampling_rate").get<double>(),
                                         .steps = charge.at("steps").get<std::int64_t>()};
      if (const Status good = CheckMechanism(mechanism); !good.ok())
        return DataLoss(path_.string(), ": release '", release, "': ", good.message());
      charges_[release] = mechanism;
    }
  } catch (const Json::exception& error) {
    return DataLoss(path_.string(), " is not a privacy ledger: ", error.what());
  }
  return Status();
}

Status Ledger::Write() const {
  Json charges = Json::object();
  for (const auto& [release, mechanism] : charges_)
    charges[release] = {{"noise_multiplier", mechanism.noise_multiplier},
                        {"sampling_rate", mechanism.sampling_rate},
                        {"steps", mechanism.steps}};
  return WriteJson(path_, {{"format", kFormat}, {"charges", charges}});
}

StatusOr<double> Ledger::Spent() const {
  ASSIGN_OR_RETURN(const Spending spending, SpentWith({.steps = 0}));
  return spending.epsilon;
}

StatusOr<Spending> Ledger::SpentWith(const SampledGaussian& mechanism) const {
  RETURN_IF_ERROR(CheckMechanism(mechanism));
  return SpendingOf(Merged(charges_, scope_, mechanism), budget_.delta);
}

StatusOr<double> Ledger::RenyiWith(const SampledGaussian& mechanism) const {
  RETURN_IF_ERROR(CheckMechanism(mechanism));
  return RenyiOf(Merged(charges_, scope_, mechanism), budget_.delta);
}

StatusOr<Spending> Ledger::SpentInAllWith(const SampledGaussian& mechanism) const {
  RETURN_IF_ERROR(CheckMechanism(mechanism));
  return SpendingOf(Merged(charges_, "", mechanism), budget_.delta);
}

Status Ledger::CanCharge(const std::string& release, const SampledGaussian& mechanism) const {
  if (release.empty() || release.find('\n') != std::string::npos)
    return InvalidArgument("a release without a proper name");
  if (!release.starts_with(scope_)) return InvalidArgument("release '", release, "' is none of '", scope_, "'");
  if (const auto found = charges_.find(release); found != charges_.end()) {
    if (found->second == mechanism) return Status();
    return FailedPrecondition("release '", release, "' was paid for with other noise than it has now");
  }
  ASSIGN_OR_RETURN(const Spending spending, SpentWith(mechanism));
  if (spending.epsilon <= budget_.epsilon) return Status();
  ASSIGN_OR_RETURN(const double spent, Spent());
  return PrivacyBudget("release '", release, "' would take epsilon from ", spent, " to ", spending.epsilon,
                       ", beyond the budget of ", budget_.epsilon, " at delta ", budget_.delta);
}

Status Ledger::Charge(const std::string& release, const SampledGaussian& mechanism) {
  RETURN_IF_ERROR(CanCharge(release, mechanism));
  if (!charges_.emplace(release, mechanism).second) return Status();
  const Status written = Write();
  if (!written.ok()) charges_.erase(release);
  return written;
}

}  // namespace consilium::dp
