#include "privacy/dp/ledger.h"

#include <cmath>
#include <vector>

#include "comm/base/json.h"
#include "comm/base/json_number.h"
#include "privacy/dp/discrete.h"
#include "privacy/dp/pld.h"
#include "privacy/dp/rdp.h"

namespace consilium::dp {
namespace {

constexpr char kFormat[] = "consilium privacy ledger 1";
constexpr SampledGaussian kNothing = {.steps = 0};

// Releases of one kind are one entry with the sum of their steps: the accountant's work grows with kinds only.
struct Releases {
  std::vector<SampledGaussian> sampled;
  std::vector<SkellamSum> sums;
  bool empty() const { return sampled.empty() && sums.empty(); }

  void Add(const SampledGaussian& more) {
    for (SampledGaussian& kind : sampled)
      if (kind.noise_multiplier == more.noise_multiplier && kind.sampling_rate == more.sampling_rate) {
        kind.steps += more.steps;
        return;
      }
    if (more.steps > 0) sampled.push_back(more);
  }
  void Add(const SkellamSum& more) {
    for (SkellamSum& kind : sums)
      if (kind.noise_multiplier == more.noise_multiplier && kind.levels == more.levels &&
          kind.dimension == more.dimension) {
        kind.releases += more.releases;
        return;
      }
    if (more.releases > 0) sums.push_back(more);
  }
};

Releases Merged(const std::map<std::string, Mechanism>& charges, const std::string& scope, const Mechanism& more) {
  Releases merged;
  const auto add = [&](const Mechanism& mechanism) {
    std::visit([&](const auto& kind) { merged.Add(kind); }, mechanism);
  };
  for (const auto& [release, mechanism] : charges)
    if (release.starts_with(scope)) add(mechanism);
  add(more);
  return merged;
}

StatusOr<double> RenyiOf(const Releases& releases, double delta) {
  if (releases.empty()) return 0.0;
  RdpCurve curve(releases.sums.empty() ? DefaultOrders() : WholeOrders());
  for (const SampledGaussian& mechanism : releases.sampled) RETURN_IF_ERROR(curve.Add(mechanism));
  for (const SkellamSum& sum : releases.sums) {
    ASSIGN_OR_RETURN(const std::vector<double> divergences, SkellamSumCurve(sum, curve.orders()));
    RETURN_IF_ERROR(curve.Add(divergences));
  }
  ASSIGN_OR_RETURN(const RdpEpsilon renyi, EpsilonOf(curve, delta));
  return renyi.epsilon;
}

StatusOr<Spending> SpendingOf(const Releases& releases, double delta) {
  if (releases.empty()) return Spending();
  ASSIGN_OR_RETURN(const double renyi, RenyiOf(releases, delta));
  if (!releases.sums.empty()) return Spending{renyi, renyi};
  const StatusOr<EpsilonBounds> bounds = PldEpsilon(releases.sampled, delta, {.gap = 0.1});
  if (bounds.code() == StatusCode::kResourceExhausted) return Spending{renyi, renyi};
  if (!bounds.ok()) return bounds.status();
  return Spending{std::min(bounds->upper, renyi), renyi};
}

Status CheckAny(const Mechanism& mechanism) {
  return std::visit([](const auto& kind) { return CheckMechanism(kind); }, mechanism);
}

Json ToJson(const SampledGaussian& mechanism) {
  return {{"noise_multiplier", mechanism.noise_multiplier},
          {"sampling_rate", mechanism.sampling_rate},
          {"steps", mechanism.steps}};
}
Json ToJson(const SkellamSum& sum) {
  return {{"noise_multiplier", sum.noise_multiplier},
          {"levels", sum.levels},
          {"dimension", sum.dimension},
          {"releases", sum.releases}};
}
// Throws Json::exception; Read() is the guard.
Mechanism FromJson(const Json& json) {
  if (json.contains("levels"))
    return SkellamSum{.noise_multiplier = json.at("noise_multiplier").get<double>(),
                      .levels = json.at("levels").get<double>(),
                      .dimension = WholeNumber<std::int64_t>(json.at("dimension")),
                      .releases = WholeNumber<std::int64_t>(json.at("releases"))};
  return SampledGaussian{.noise_multiplier = json.at("noise_multiplier").get<double>(),
                         .sampling_rate = json.at("sampling_rate").get<double>(),
                         .steps = WholeNumber<std::int64_t>(json.at("steps"))};
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
      const Mechanism mechanism = FromJson(charge);
      if (const Status good = CheckAny(mechanism); !good.ok())
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
    charges[release] = std::visit([](const auto& kind) { return ToJson(kind); }, mechanism);
  return WriteJson(path_, {{"format", kFormat}, {"charges", charges}});
}

StatusOr<double> Ledger::Spent() const {
  ASSIGN_OR_RETURN(const Spending spending, SpentWith(kNothing));
  return spending.epsilon;
}

StatusOr<double> Ledger::SpentInAll() const {
  ASSIGN_OR_RETURN(const Spending spending, SpentInAllWith(kNothing));
  return spending.epsilon;
}

StatusOr<Spending> Ledger::SpentWith(const Mechanism& mechanism) const {
  RETURN_IF_ERROR(CheckAny(mechanism));
  return SpendingOf(Merged(charges_, scope_, mechanism), budget_.delta);
}

StatusOr<double> Ledger::RenyiWith(const Mechanism& mechanism) const {
  RETURN_IF_ERROR(CheckAny(mechanism));
  return RenyiOf(Merged(charges_, scope_, mechanism), budget_.delta);
}

StatusOr<Spending> Ledger::SpentInAllWith(const Mechanism& mechanism) const {
  RETURN_IF_ERROR(CheckAny(mechanism));
  return SpendingOf(Merged(charges_, "", mechanism), budget_.delta);
}

Status Ledger::CanCharge(const std::string& release, const Mechanism& mechanism) const {
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

Status Ledger::Charge(const std::string& release, const Mechanism& mechanism) {
  RETURN_IF_ERROR(CanCharge(release, mechanism));
  if (!charges_.emplace(release, mechanism).second) return Status();
  const Status written = Write();
  if (!written.ok()) charges_.erase(release);
  return written;
}

}  // namespace consilium::dp
