#include "privacy/dp/record_account.h"

#include <algorithm>
#include <cstdio>

#include "privacy/dp/calibrate.h"

namespace consilium::dp {
namespace {

std::string Short(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

}  // namespace

StatusOr<SampledGaussian> MechanismOf(const RecordTerms& terms) {
  if (terms.cases < 1 || !(terms.expected_cases <= static_cast<double>(terms.cases)))
    return InvalidArgument("a step takes ", terms.expected_cases,
                           " cases on average (train.batch_size), and there are ", terms.cases,
                           " training cases; mend: a smaller train.batch_size");
  SampledGaussian step = {.noise_multiplier = terms.noise_multiplier,
                          .sampling_rate = terms.expected_cases / static_cast<double>(terms.cases)};
  if (step.noise_multiplier == 0) {
    StatusOr<double> noise =
        NoiseFor(terms.budget.epsilon, terms.budget.delta, step.sampling_rate, terms.steps, Accountant::kPld);
    RETURN_IF_ERROR(Annotate(noise.status(), "choosing the noise of ", terms.steps, " steps"));
    step.noise_multiplier = *noise;
  }
  RETURN_IF_ERROR(CheckMechanism(step));
  return step;
}

Json ToJson(const RecordReport& report) {
  return {{"unit", "case"},
          {"adjacency", "add or remove one"},
          {"accountant", "PLD"},
          {"epsilon", report.epsilon},
          {"epsilon_rdp", report.epsilon_rdp},
          {"epsilon_data_set", report.epsilon_data_set},
          {"epsilon_budget", report.budget.epsilon},
          {"delta", report.budget.delta},
          {"clip", report.clip},
          {"noise_multiplier", report.all_steps.noise_multiplier},
          {"sampling_rate", report.all_steps.sampling_rate},
          {"steps", report.all_steps.steps}};
}

std::string ToText(const RecordReport& report) {
  std::string text = Concat("epsilon ", Short(report.epsilon), " of ", Short(report.budget.epsilon), " at delta ",
                            Short(report.budget.delta), " for any one case added or removed (PLD accountant; Rényi ",
                            Short(report.epsilon_rdp), "); ", report.all_steps.steps, " steps with noise ",
                            Short(report.all_steps.noise_multiplier), " x clip ", Short(report.clip),
                            ", sampling rate ", Short(report.all_steps.sampling_rate));
  if (report.epsilon_data_set > report.epsilon)
    text += Concat("; with the other jobs on this data set ", Short(report.epsilon_data_set));
  return text;
}

StatusOr<RecordAccount> RecordAccount::Open(const Options& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<Ledger> ledger, Ledger::Open(options.folder, options.budget, options.job + "/"));
  return RecordAccount(options, std::move(ledger));
}

SampledGaussian RecordAccount::Mechanism(std::int64_t steps) const {
  SampledGaussian mechanism = options_.step;
  mechanism.steps = steps;
  return mechanism;
}

Status RecordAccount::CanPay(const std::string& release, std::int64_t steps) const {
  return ledger_->CanCharge(NameOf(release), Mechanism(steps));
}

Status RecordAccount::Pay(const std::string& release, std::int64_t steps) {
  return ledger_->Charge(NameOf(release), Mechanism(steps));
}

// Rényi's accountant is quick and never below the other one: it gives the neighbourhood, from where the other looks on.
StatusOr<std::int64_t> RecordAccount::StepsWithin(std::int64_t wanted) const {
  const double epsilon = options_.budget.epsilon;
  std::int64_t low = 0, high = wanted + 1;  // low fits, high does not (or is not wanted)
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    ASSIGN_OR_RETURN(const double renyi, ledger_->RenyiWith(Mechanism(middle)));
    (renyi <= epsilon ? low : high) = middle;
  }
  high = wanted + 1;
  for (std::int64_t stride = low / 8 + 1; high - low > 1;) {
    const std::int64_t next = std::min(low + stride, high - 1);
    ASSIGN_OR_RETURN(const Spending spending, ledger_->SpentWith(Mechanism(next)));
    if (spending.epsilon <= epsilon) {
      low = next;
    } else {
      high = next;
      stride = std::max<std::int64_t>(1, (high - low) / 2);
    }
  }
  return low;
}

StatusOr<RecordReport> RecordAccount::Report(std::int64_t unpaid) const {
  RecordReport report = {.budget = options_.budget, .clip = options_.clip, .all_steps = Mechanism(unpaid)};
  ASSIGN_OR_RETURN(const Spending job, ledger_->SpentWith(Mechanism(unpaid)));
  ASSIGN_OR_RETURN(const Spending all, ledger_->SpentInAllWith(Mechanism(unpaid)));
  report.epsilon = job.epsilon;
  report.epsilon_rdp = job.epsilon_rdp;
  report.epsilon_data_set = all.epsilon;
  for (const auto& [release, charged] : ledger_->charges()) {
    const auto* mechanism = std::get_if<SampledGaussian>(&charged);
    if (mechanism != nullptr && release.starts_with(options_.job + "/") &&
        mechanism->noise_multiplier == options_.step.noise_multiplier &&
        mechanism->sampling_rate == options_.step.sampling_rate)
      report.all_steps.steps += mechanism->steps;
  }
  return report;
}

}  // namespace consilium::dp
