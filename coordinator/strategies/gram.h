// Inner products of a round's updates: all the geometry that rules like Krum need to know of vectors of any length.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace consilium::coordinator {

// How much of the geometry of the updates d_i = y_i - x a rule looks at.  Norms cost one pass, inner products n.
enum class Geometry { kNone, kNorms, kInnerProducts };

// G_ij = <d_i, d_j> in f64; symmetric.  With Geometry::kNorms only the diagonal is filled, with kNone nothing is.
class GramMatrix {
 public:
  GramMatrix() = default;
  explicit GramMatrix(std::size_t updates) : updates_(updates), values_(updates * updates) {}

  std::size_t updates() const { return updates_; }
  double at(std::size_t i, std::size_t j) const { return values_[i * updates_ + j]; }
  // Both (i, j) and (j, i).
  void Add(std::size_t i, std::size_t j, double value);

  double Norm(std::size_t i) const;
  // |d_i - d_j|^2, never below 0.
  double SquaredDistance(std::size_t i, std::size_t j) const;
  // Of the angle between d_i and d_j, in [-1, 1]; 0 when one of them is the zero vector.
  double Cosine(std::size_t i, std::size_t j) const;
  // |sum_i c_i d_i|.
  double NormOf(std::span<const double> coefficients) const;

 private:
  std::size_t updates_ = 0;
  std::vector<double> values_;
};

// Values of every update that AddProducts takes at once.  A constant, so that the order of the additions, and with it
// every bit of the result, depends on nothing but the updates.
inline constexpr std::size_t kGramBlock = 4096;

// Adds <d_i, d_j> of one block to `gram`.  rows[i] holds `size` values of update i, at most kGramBlock.
void AddProducts(std::span<const double* const> rows, std::size_t size, Geometry geometry, GramMatrix* gram);

}  // namespace consilium::coordinator
