#include "coordinator/strategies/gram.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "comm/base/status.h"
#include "coordinator/strategies/vector_clones.h"

namespace consilium::coordinator {
namespace {

constexpr std::size_t kLanes = 8;  // partial sums of a dot product: what the compiler may add at once

double SumOf(const double* lanes) {
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

// <a, c>, <a, d>, <b, c>, <b, d>: four products for four loads.  `size` is a multiple of kLanes.
CONSILIUM_VECTOR_CLONES
void FourProducts(const double* a, const double* b, const double* c, const double* d, std::size_t size, double* out) {
  double lanes[4][kLanes] = {};
  for (std::size_t k = 0; k < size; k += kLanes) {
    for (std::size_t l = 0; l < kLanes; ++l) lanes[0][l] += a[k + l] * c[k + l];
    for (std::size_t l = 0; l < kLanes; ++l) lanes[1][l] += a[k + l] * d[k + l];
    for (std::size_t l = 0; l < kLanes; ++l) lanes[2][l] += b[k + l] * c[k + l];
    for (std::size_t l = 0; l < kLanes; ++l) lanes[3][l] += b[k + l] * d[k + l];
  }
  for (std::size_t i = 0; i < 4; ++i) out[i] = SumOf(lanes[i]);
}

CONSILIUM_VECTOR_CLONES
double SquaredNorm(const double* a, std::size_t size) {
  double lanes[kLanes] = {};
  for (std::size_t k = 0; k < size; k += kLanes)
    for (std::size_t l = 0; l < kLanes; ++l) lanes[l] += a[k + l] * a[k + l];
  return SumOf(lanes);
}

}  // namespace

void GramMatrix::Add(std::size_t i, std::size_t j, double value) {
  values_[i * updates_ + j] += value;
  if (i != j) values_[j * updates_ + i] += value;
}

double GramMatrix::Norm(std::size_t i) const { return std::sqrt(at(i, i)); }

double GramMatrix::SquaredDistance(std::size_t i, std::size_t j) const {
  return std::max(0.0, at(i, i) + at(j, j) - 2 * at(i, j));
}

double GramMatrix::Cosine(std::size_t i, std::size_t j) const {
  const double norms = Norm(i) * Norm(j);
  return norms > 0 ? std::clamp(at(i, j) / norms, -1.0, 1.0) : 0.0;
}

double GramMatrix::NormOf(std::span<const double> coefficients) const {
  double sum = 0;
  for (std::size_t i = 0; i < updates_; ++i)
    for (std::size_t j = 0; j < updates_; ++j) sum += coefficients[i] * coefficients[j] * at(i, j);
  return std::sqrt(std::max(0.0, sum));
}

void AddProducts(std::span<const double* const> rows, std::size_t size, Geometry geometry, GramMatrix* gram) {
  CONSILIUM_CHECK(size <= kGramBlock && rows.size() == gram->updates(), "a block of ", size, " values");
  if (geometry == Geometry::kNone) return;
  const std::size_t whole = size / kLanes * kLanes;
  const auto tail = [&](std::size_t i, std::size_t j) {
    double sum = 0;
    for (std::size_t k = whole; k < size; ++k) sum += rows[i][k] * rows[j][k];
    return sum;
  };
  if (geometry == Geometry::kNorms) {
    for (std::size_t i = 0; i < rows.size(); ++i) gram->Add(i, i, SquaredNorm(rows[i], whole) + tail(i, i));
    return;
  }
  for (std::size_t i = 0; i < rows.size(); i += 2) {
    const std::size_t i2 = std::min(i + 1, rows.size() - 1);
    for (std::size_t j = 0; j <= i; j += 2) {
      const std::size_t j2 = std::min(j + 1, rows.size() - 1);
      double products[4];
      FourProducts(rows[i], rows[i2], rows[j], rows[j2], whole, products);
      const auto add = [&](std::size_t row, std::size_t column, double product) {
        if (column <= row) gram->Add(row, column, product + tail(row, column));
      };
      add(i, j, products[0]);
      if (j2 != j) add(i, j2, products[1]);
      if (i2 != i) add(i2, j, products[2]);
      if (i2 != i && j2 != j) add(i2, j2, products[3]);
    }
  }
}

}  // namespace consilium::coordinator
