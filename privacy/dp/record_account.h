// One training's account with a data set's ledger: what a step costs, whether the next release is within the budget,
// and what is told of it.
//
// The unit is a case (a patient), added or removed.  Sites hold different patients, so what holds for each of them
// holds for the federation: epsilon is the largest of the sites'.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "comm/base/json.h"
#include "privacy/dp/ledger.h"

namespace consilium::dp {

// What a training asks for.  The number of cases is taken as public.
struct RecordTerms {
  std::int64_t cases = 0;
  double expected_cases = 1;  // in a step, on average: q = expected_cases / cases
  std::int64_t steps = 1;     // of the whole training
  Budget budget;
  double clip = 1;              // L2 norm of a case's gradient
  double noise_multiplier = 0;  // 0: the least with which all steps stay within the budget
};
// One step.  Errors: InvalidArgument when fewer cases are there than a step expects, or no noise is enough.
StatusOr<SampledGaussian> MechanismOf(const RecordTerms& terms);

struct RecordReport {
  Budget budget;
  double clip = 1;
  SampledGaussian all_steps;    // that were paid for under the mechanism in hand
  double epsilon = 0;           // of this job: upper bound of the privacy-loss-distribution accountant
  double epsilon_rdp = 0;       // of this job: Rényi accountant, never below
  double epsilon_data_set = 0;  // of all jobs in the ledger together, at the same delta
};
// "unit", "adjacency", "epsilon", "epsilon_rdp", "delta", "budget", ...: what every report of a training contains.
Json ToJson(const RecordReport& report);
// "epsilon 3.214 of 8 at delta 1e-05 for any one case added or removed (PLD; Rényi 3.602); noise 1.1 x clip 1, ...".
std::string ToText(const RecordReport& report);

// Strand-bound; holds the ledger's lock as long as it lives.
class RecordAccount {
 public:
  struct Options {
    std::filesystem::path folder;  // of the data set's ledger
    std::string job;               // its name: the budget is this job's
    Budget budget;
    double clip = 1;
    SampledGaussian step;  // MechanismOf()
  };
  // Errors: those of Ledger::Open.
  static StatusOr<RecordAccount> Open(const Options& options);

  // Would a release after so many steps be within the budget?  PrivacyBudget when not.
  Status CanPay(const std::string& release, std::int64_t steps) const;
  // Pays for JOB/`release`, before it happens.  Paid for once, however often the same work is done again.
  // Errors: those of Ledger::Charge.
  Status Pay(const std::string& release, std::int64_t steps);
  // How many of `wanted` further steps the budget still bears.
  StatusOr<std::int64_t> StepsWithin(std::int64_t wanted) const;
  // `unpaid`: steps that were done and not released yet, counted as if they were.
  StatusOr<RecordReport> Report(std::int64_t unpaid = 0) const;

 private:
  RecordAccount(const Options& options, std::unique_ptr<Ledger> ledger)
      : options_(options), ledger_(std::move(ledger)) {}
  SampledGaussian Mechanism(std::int64_t steps) const;
  std::string NameOf(const std::string& release) const { return options_.job + "/" + release; }

  Options options_;
  std::unique_ptr<Ledger> ledger_;
};

}  // namespace consilium::dp
