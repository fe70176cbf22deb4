// What a site says about its data so that a federation can plan together: sums and histograms over all of its cases,
// never a number that belongs to one case.
//
// Everything is additive: Merge() is associative and commutative to the last bit, so the statistics of three sites are
// the statistics of their data in one folder, and one plan is computed from the sum.  Intensities are weighted as
// nnU-Net weights them: each case counts the same, however large it is.
//
// Small counts: a site with fewer than `cases_min` cases gives no statistics; a histogram cell shows only where at
// least so many different cases lie in it (value_histogram.h); a label or a channel's foreground that 1 to cases_min -
// 1 cases have is withheld, and only that this was so is said.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "comm/base/bytes.h"
#include "comm/base/json.h"
#include "comm/base/status.h"
#include "datasets/planner/exact_sum.h"
#include "datasets/planner/value_histogram.h"

namespace consilium::datasets {

inline constexpr std::uint64_t kCaseWeight = std::uint64_t{1} << 24;          // of a case in a histogram of intensities
inline constexpr std::uint64_t kStatisticsCasesMax = std::uint64_t{1} << 20;  // of a site, and of a federation
inline constexpr std::size_t kStatisticsBytesMax = std::size_t{4} << 20;      // encoded; a few 10 kB are usual
inline constexpr std::size_t kScalarCellsMax = 4096;                          // of a histogram with one value a case
inline constexpr std::size_t kVolumeCellsMax = 64;
inline constexpr int kVolumeShift = 49;  // cells 2^-3 of a volume wide
std::size_t IntensityCellsMax(std::size_t channels);

struct IntensityStatistics {
  std::uint64_t cases = 0;           // with foreground
  std::uint32_t withheld_sites = 0;  // where 1 to cases_min - 1 cases had foreground
  ValueKind kind = ValueKind::kWhole;
  ExactSum mean, mean_squared, variance;  // each: of the foreground of a case, summed over cases
  ValueHistogram values;                  // kCaseWeight a case
  friend bool operator==(const IntensityStatistics&, const IntensityStatistics&) = default;
};

struct LabelStatistics {
  std::string name;
  std::int16_t value = 0;
  std::uint32_t withheld_sites = 0;
  ValueHistogram volumes;  // mm^3 (flat images: mm^2) of this label in a case, over the cases that have it
  friend bool operator==(const LabelStatistics&, const LabelStatistics&) = default;
};

struct SiteStatistics {
  std::vector<std::string> channel_names;
  std::string file_ending;
  std::uint32_t sites = 1;
  std::uint32_t cases_min = 1;  // the weakest that went in
  std::uint64_t cases = 0;
  // One value a case; axes are (z, y, x) and not linked with each other.
  std::array<ValueHistogram, 3> spacing;  // mm
  std::array<ValueHistogram, 3> shape;    // voxels, after the crop
  std::array<ValueHistogram, 3>
      extent;                    // mm, after the crop: spacing x shape, so that any target spacing gives a shape
  ValueHistogram relative_size;  // after the crop / before
  std::vector<IntensityStatistics> channels;
  std::vector<LabelStatistics> labels;  // background first, as in dataset.json

  friend bool operator==(const SiteStatistics&, const SiteStatistics&) = default;
};

// Adds `other` to `sum`.  Other channels or labels are kInvalidArgument that names both; `sum` is then unchanged.
Status Merge(const SiteStatistics& other, SiteStatistics* sum);

// Canonical: equal statistics have equal bytes.  Decoding checks every count against the others, so that what a
// stranger sends can be merged and planned from without a second look.
Bytes EncodeStatistics(const SiteStatistics& statistics);
StatusOr<SiteStatistics> DecodeStatistics(ByteSpan bytes);

// For people: cases, spacings, shapes, intensities and label volumes as quantiles; counts that a site withheld are said
// to be at least what is known.
Json StatisticsReport(const SiteStatistics& statistics);

}  // namespace consilium::datasets
