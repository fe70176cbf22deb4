// An additive picture of a distribution: how much weight lies where, over all finite doubles, without agreeing on a
// range first.
//
// Doubles are put in order by their bits (a monotone 64-bit key).  A cell is the set of keys that share all but their
// last `shift` bits: with shift 0 one single value, with shift 41 a relative width of 2^-11, with shift 52 a factor
// of 2. Cells of all sizes live side by side, each with its own weight.  Adding up two histograms adds weights of equal
// cells, so sums are exact, in any order and grouping.
//
// Fewer than `cases_min` cases never show: SuppressedHistogram widens a cell until enough different cases lie in it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "comm/base/bytes.h"
#include "comm/base/status.h"

namespace consilium::datasets {

// Monotone: a < b implies OrderedKey(a) < OrderedKey(b).  -0 counts as 0; NaN must not come here.
std::uint64_t OrderedKey(double value);
double ValueOfKey(std::uint64_t key);

inline constexpr int kShiftMax = 64;     // one cell that holds everything
inline constexpr int kExactShift = 0;    // a value each
inline constexpr int kOctaveShift = 52;  // a factor of 2
// Keeps 11 bits after the leading one: whole numbers up to 4095 have a cell each, above and between them cells are at
// most 2^-11 (0.05 %) of their value wide.
inline constexpr int kIntensityShift = 41;

struct HistogramCell {
  std::uint64_t begin = 0;  // least key; the last `shift` bits are 0
  int shift = 0;
  std::uint64_t weight = 0;
  friend auto operator<=>(const HistogramCell&, const HistogramCell&) = default;
};
HistogramCell CellOf(double value, int shift, std::uint64_t weight);

// What values were: decides where in a cell the weight is taken to lie.
enum class ValueKind { kContinuous, kWhole };

class ValueHistogram {
 public:
  ValueHistogram() = default;
  // `shift`: of the narrowest cells that there may be.  Cells in any order; they may repeat.
  ValueHistogram(int shift, std::vector<HistogramCell> cells);

  // Sums weights; then widens the narrowest cells, all alike and no more than needed, until at most `cells_max` (at
  // least 1) are left.  Because the widening depends on the sum alone, any order and grouping of merges ends in the
  // same histogram.
  void Merge(const ValueHistogram& other, std::size_t cells_max);
  void Limit(std::size_t cells_max);

  int shift() const { return shift_; }                                // of the narrowest cells that there may be
  const std::vector<HistogramCell>& cells() const { return cells_; }  // sorted by begin, then shift
  std::uint64_t total() const;
  bool empty() const { return cells_.empty(); }

  // Values at the given percents of the weight, as if it were `total` samples (numpy.percentile's linear rule).  In a
  // cell of more than one value the weight is spread evenly.  Not empty.
  std::vector<double> Percentiles(std::span<const double> percents, ValueKind kind) const;
  // As many values as there is weight, ascending.  For weights that count cases.
  std::vector<double> Samples(ValueKind kind) const;

  void EncodeTo(ByteWriter* writer) const;
  // Refuses what EncodeTo() would not write, more than `cells_max` cells, and a total above `total_max`.
  static ValueHistogram DecodeFrom(ByteReader* reader, std::size_t cells_max, std::uint64_t total_max);

  friend bool operator==(const ValueHistogram&, const ValueHistogram&) = default;

 private:
  struct Atom {
    double value;
    std::uint64_t weight;
  };
  std::vector<Atom> Atoms(ValueKind kind) const;  // ascending
  void WidenTo(int shift);
  void Normalise();
  int shift_ = 0;
  std::vector<HistogramCell> cells_;
};

// Collects one site's values and gives out cells in which at least `cases_min` different cases lie.  A cell with fewer
// gives its weight to the next wider one, up to a factor of 2; what is alone even there goes to the nearest cell that
// is given out, so that no weight is lost.  With cases_min 1 nothing is changed.
class SuppressedHistogram {
 public:
  SuppressedHistogram(int shift, std::uint32_t cases_min) : shift_(shift), cases_min_(cases_min) {}
  void Add(std::uint32_t case_number, double value, std::uint64_t weight);
  // Empty when fewer than cases_min cases were added.
  ValueHistogram Build(std::size_t cells_max) const;

 private:
  struct Node {
    std::uint64_t weight = 0;
    std::vector<std::uint32_t> cases;  // distinct, at most cases_min of them
  };
  using Level = std::map<std::uint64_t, Node>;  // by the cell's begin; all of one shift
  void Absorb(const Node& from, Node* into) const;
  Level Widened(const Level& level, int shift) const;

  int shift_;
  std::uint32_t cases_min_;
  Level leaves_;
};

}  // namespace consilium::datasets
