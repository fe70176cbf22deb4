// A lower bound on epsilon from one run of a mechanism: what an attack finds that the accountant must not be below.
//
// Each of m canaries is put into the run or left out by a coin of its own.  From what the run released the attacker
// scores every canary (white-box: the released gradient's component along it) and guesses: the highest scores are in,
// the lowest are out, the rest is left alone.  Under (epsilon, delta)-DP for adding or removing one, the number of
// right guesses is hardly more than Binomial(guesses, 1 / (1 + e^-epsilon)); more than that refutes the claim.
//
// T. Steinke, M. Nasr, M. Jagielski, "Privacy auditing with one (1) training run", NeurIPS 2023, theorem 5.2 and
// appendix D.  The bound is far below the truth for few canaries or a small epsilon: it catches errors, it proves
// nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "comm/base/status.h"

namespace consilium::dp {

struct CanaryScore {
  double score = 0;
  bool included = false;
};

struct AuditOptions {
  double delta = 1e-5;
  double confidence = 0.95;  // the bound is wrong with probability at most 1 - confidence
  // How many canaries are guessed, half of them in, half out.  To be chosen before the scores are seen.
  std::int64_t guesses = 0;
};

struct AuditResult {
  std::int64_t canaries = 0, guesses = 0, right = 0;
  double epsilon = 0;  // at least this much; 0: nothing was found
};

// Equal scores keep their order.  Errors: InvalidArgument for delta or confidence outside (0, 1), guesses outside
// [2, canaries], a score that is no number.
StatusOr<AuditResult> AuditOneRun(std::vector<CanaryScore> canaries, const AuditOptions& options);

// The probability, at most, of `right` or more right guesses of `guesses` out of m canaries under (epsilon, delta)-DP.
double AuditPValue(std::int64_t canaries, std::int64_t guesses, std::int64_t right, double epsilon, double delta);

}  // namespace consilium::dp
