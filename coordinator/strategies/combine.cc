#include "coordinator/strategies/combine.h"

#include <algorithm>
#include <cmath>

#include "coordinator/strategies/vector_clones.h"

namespace consilium::coordinator {
namespace {

// The smaller of each pair into `low`, the larger into `high`.
CONSILIUM_VECTOR_CLONES
void Exchange(double* low, double* high) {
  for (std::size_t k = 0; k < kColumns; ++k) {
    const double a = low[k], b = high[k];
    low[k] = b < a ? b : a;
    high[k] = b < a ? a : b;
  }
}

// Sorts `count` rows of kColumns values, column by column, with Batcher's odd-even merge exchange (Knuth, TAOCP 3,
// 5.2.2, Algorithm M): the same comparisons whatever the values, so whole rows are compared at once.
void SortColumns(double* rows, std::size_t count) {
  std::size_t top = 1;
  while (2 * top < count) top *= 2;
  for (std::size_t p = top; count > 1 && p > 0; p /= 2) {
    std::size_t q = top, r = 0, d = p;
    while (true) {
      for (std::size_t i = 0; i + d < count; ++i)
        if ((i & p) == r) Exchange(rows + i * kColumns, rows + (i + d) * kColumns);
      if (q == p) break;
      d = q - p;
      q /= 2;
      r = p;
    }
  }
}

// The mean of the `keep` of the sorted values of one column that lie nearest to their median: a window, because they
// are sorted; of equally near ones the smaller.
double MeanAroundMedian(const double* column, std::size_t count, std::size_t keep) {
  const auto at = [&](std::size_t i) { return column[i * kColumns]; };
  const double median = count % 2 == 1 ? at(count / 2) : (at(count / 2 - 1) + at(count / 2)) / 2;
  std::size_t begin = 0;
  while (begin + keep < count && median - at(begin) > at(begin + keep) - median) ++begin;
  double sum = 0;
  for (std::size_t i = begin; i < begin + keep; ++i) sum += at(i);
  return sum / static_cast<double>(keep);
}

void MeanOfRows(const double* rows, std::size_t begin, std::size_t end, std::span<double> out) {
  for (std::size_t k = 0; k < out.size(); ++k) out[k] = rows[begin * kColumns + k];
  for (std::size_t i = begin + 1; i < end; ++i)
    for (std::size_t k = 0; k < out.size(); ++k) out[k] += rows[i * kColumns + k];
  if (end - begin > 1)
    for (double& value : out) value /= static_cast<double>(end - begin);
}

}  // namespace

void CombineOrdered(const FoldPlan& plan, std::span<const std::span<const double>> rows, std::vector<double>* scratch,
                    std::span<double> out) {
  std::vector<std::size_t> taking_part;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (plan.coefficients[i] != 0) taking_part.push_back(i);
  const std::size_t count = taking_part.size();
  CONSILIUM_CHECK(count > 0 && 2 * plan.trim < count && plan.keep <= count, "a plan for other updates");
  scratch->resize(count * kColumns);
  for (std::size_t begin = 0; begin < out.size(); begin += kColumns) {
    const std::size_t size = std::min(kColumns, out.size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      double* const row = scratch->data() + i * kColumns;
      std::ranges::copy(rows[taking_part[i]].subspan(begin, size), row);
      std::fill(row + size, row + kColumns, 0.0);  // columns of zeros beyond the end
    }
    SortColumns(scratch->data(), count);
    const std::span<double> part = out.subspan(begin, size);
    switch (plan.rule) {
      case CombineRule::kWeightedSum:
        CONSILIUM_CHECK(false, "sums are not made of order statistics");
        break;
      case CombineRule::kMedian:
        MeanOfRows(scratch->data(), (count - 1) / 2, count / 2 + 1, part);
        break;
      case CombineRule::kTrimmedMean:
        MeanOfRows(scratch->data(), plan.trim, count - plan.trim, part);
        break;
      case CombineRule::kMeanAroundMedian:
        for (std::size_t k = 0; k < size; ++k) part[k] = MeanAroundMedian(scratch->data() + k, count, plan.keep);
        break;
    }
  }
}

void AddTerm(Term term, double coefficient, std::span<const double> values, std::span<double> sum) {
  CONSILIUM_CHECK(values.size() == sum.size(), "tile sizes");
  if (term == Term::kFirst) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = coefficient * values[i];
  } else {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += coefficient * values[i];
  }
}

}  // namespace consilium::coordinator
