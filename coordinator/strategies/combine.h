// Step 2 of a fold: the plan applied to one tile of every update (coordinator/strategies/strategy.h).
#pragma once

#include <span>
#include <vector>

#include "coordinator/strategies/strategy.h"

namespace consilium::coordinator {

// The rules over order statistics work on this many coordinates at once: 256 doubles x 256 updates stay in the cache.
inline constexpr std::size_t kColumns = 256;

// rows[i] holds the same coordinates of update i; update i takes part when plan.coefficients[i] != 0 or the rule is a
// weighted sum.  out gets one value a coordinate.  Not for kWeightedSum, whose updates are added one by one (fold.h).
// `scratch` is reused from call to call.
void CombineOrdered(const FoldPlan& plan, std::span<const std::span<const double>> rows, std::vector<double>* scratch,
                    std::span<double> out);

// sum += coefficient * values; the first term replaces the sum, so that one update with coefficient 1 comes out bit for
// bit, -0 included.
enum class Term { kFirst, kFurther };
void AddTerm(Term term, double coefficient, std::span<const double> values, std::span<double> sum);

}  // namespace consilium::coordinator
