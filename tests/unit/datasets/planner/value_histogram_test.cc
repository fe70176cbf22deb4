#include "datasets/planner/value_histogram.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "comm/base/rng.h"
#include "datasets/planner/quantile.h"

namespace consilium::datasets {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ValueHistogram Exact(const std::vector<double>& values, int shift = kExactShift) {
  std::vector<HistogramCell> cells;
  for (const double value : values) cells.push_back(CellOf(value, shift, 1));
  return {shift, cells};
}

double PercentileOf(const ValueHistogram& histogram, double percent, ValueKind kind = ValueKind::kContinuous) {
  return histogram.Percentiles(std::vector<double>{percent}, kind)[0];
}

TEST(ValueHistogramTest, KeysKeepTheOrderOfAllFiniteDoubles) {
  const std::vector<double> ascending = {-1e308, -2, -1.5, -5e-324, 0, 5e-324, 1, 1.0000000000000002, 4096, 1e308};
  for (std::size_t i = 1; i < ascending.size(); ++i)
    EXPECT_LT(OrderedKey(ascending[i - 1]), OrderedKey(ascending[i])) << ascending[i];
  for (const double value : ascending) EXPECT_EQ(ValueOfKey(OrderedKey(value)), value);
  EXPECT_EQ(OrderedKey(-0.0), OrderedKey(0.0));
}

TEST(ValueHistogramTest, WithoutWideningPercentilesAreNumpys) {
  Rng rng(3, 0);
  std::vector<double> values;
  for (int i = 0; i < 257; ++i) values.push_back(std::nearbyint(rng.Normal() * 20));
  const ValueHistogram histogram = Exact(values);
  for (const double percent : {0.0, 0.5, 10.0, 33.3, 50.0, 99.5, 100.0})
    EXPECT_EQ(PercentileOf(histogram, percent), Percentile(values, percent)) << percent;
  std::sort(values.begin(), values.end());
  EXPECT_EQ(histogram.Samples(ValueKind::kContinuous), values);
}

TEST(ValueHistogramTest, WholeNumbersUpTo4095KeepTheirOwnIntensityCells) {
  std::vector<double> values;
  for (int i = -4095; i <= 4095; ++i) values.push_back(i);
  const ValueHistogram histogram = Exact(values, kIntensityShift);
  EXPECT_EQ(histogram.cells().size(), values.size());
  EXPECT_EQ(histogram.Samples(ValueKind::kWhole), values);
}

TEST(ValueHistogramTest, OtherIntensitiesAreKnownToATwentiethOfAPercent) {
  Rng rng(5, 0);
  std::vector<double> values;
  for (int i = 0; i < 5000; ++i) values.push_back(rng.Normal() * 1e4);
  const ValueHistogram histogram = Exact(values, kIntensityShift);
  for (const double percent : {0.5, 25.0, 99.5}) {
    const double expected = Percentile(values, percent);
    EXPECT_NEAR(PercentileOf(histogram, percent), expected, std::abs(expected) * 0x1p-11) << percent;
  }
}

TEST(ValueHistogramTest, MergingIsTheSameInAnyOrderAndGroupingEvenWhereCellsMustWiden) {
  Rng rng(11, 0);
  std::vector<double> all;
  std::vector<std::vector<double>> parts(3);
  for (int i = 0; i < 3000; ++i) {
    all.push_back(rng.Normal() * 100);
    parts[rng.Below(3)].push_back(all.back());
  }
  const std::size_t cells_max = 200;
  const auto limited = [&](const std::vector<double>& values) {
    ValueHistogram histogram = Exact(values, kIntensityShift);
    histogram.Limit(cells_max);
    return histogram;
  };
  const auto merged = [&](ValueHistogram a, const ValueHistogram& b) {
    a.Merge(b, cells_max);
    return a;
  };
  const ValueHistogram pooled = limited(all);
  const ValueHistogram a = limited(parts[0]), b = limited(parts[1]), c = limited(parts[2]);
  EXPECT_LE(pooled.cells().size(), cells_max);
  EXPECT_GT(pooled.shift(), kIntensityShift) << "the limit must have been felt";
  EXPECT_EQ(merged(merged(a, b), c), pooled);
  EXPECT_EQ(merged(a, merged(c, b)), pooled);
  EXPECT_EQ(merged(merged(c, a), b), pooled);
  EXPECT_EQ(merged(pooled, ValueHistogram()), pooled);
  EXPECT_EQ(pooled.total(), all.size());
}

TEST(ValueHistogramTest, AWideCellsWeightIsSpreadEvenlyOverIt) {
  const ValueHistogram octave(kExactShift, {CellOf(1.0, kOctaveShift, 4)});  // [1, 2)
  const std::vector<double> samples = octave.Samples(ValueKind::kContinuous);
  ASSERT_EQ(samples.size(), 4U);
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(samples[i], 1 + (i + 0.5) / 4, 0.01);
  const ValueHistogram everything(kExactShift, {CellOf(0.0, kShiftMax, 9)});
  for (const double value : everything.Samples(ValueKind::kWhole)) EXPECT_TRUE(std::isfinite(value));
}

TEST(ValueHistogramTest, WrittenAndReadBackItIsTheSameAndEveryTruncationIsAnError) {
  const ValueHistogram histogram(kExactShift, {CellOf(-3, 0, 5), CellOf(-3, 10, 1), CellOf(0.25, kOctaveShift, 7),
                                               CellOf(1e300, 0, 1), CellOf(2, 63, 2), CellOf(2, 64, 9)});
  ByteWriter writer;
  histogram.EncodeTo(&writer);
  const Bytes bytes = std::move(writer).Take();
  ByteReader reader(bytes);
  EXPECT_EQ(ValueHistogram::DecodeFrom(&reader, 100, 1000), histogram);
  EXPECT_TRUE(reader.Finish().ok()) << reader.Finish();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader truncated(ByteSpan(bytes).first(size));
    ValueHistogram::DecodeFrom(&truncated, 100, 1000);
    EXPECT_FALSE(truncated.Finish().ok()) << size;
  }
  ByteReader few_cells(bytes), little_weight(bytes);
  EXPECT_TRUE(ValueHistogram::DecodeFrom(&few_cells, 5, 1000).empty());
  EXPECT_FALSE(few_cells.status().ok());
  ValueHistogram::DecodeFrom(&little_weight, 100, 24);
  EXPECT_THAT(little_weight.status().message(), HasSubstr("above 24"));
}

TEST(ValueHistogramTest, NoBytesOfAStrangerBreakTheReaderAndWhatItTakesHasOneForm) {
  Rng rng(13, 0);
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    Bytes bytes;
    for (std::uint64_t size = rng.Below(40); size > 0; --size) {
      const std::uint64_t kind = rng.Below(3);
      bytes.push_back(static_cast<std::uint8_t>(kind == 0 ? rng.Below(256) : rng.Below(4)));
    }
    ByteReader reader(bytes);
    const ValueHistogram histogram = ValueHistogram::DecodeFrom(&reader, 16, 1000);
    if (!reader.Finish().ok()) continue;
    ++accepted;
    ByteWriter writer;
    histogram.EncodeTo(&writer);
    ASSERT_EQ(writer.bytes(), bytes);
    for (const double value : histogram.Samples(ValueKind::kWhole)) ASSERT_TRUE(std::isfinite(value));
  }
  EXPECT_GT(accepted, 10);
}

TEST(SuppressedHistogramTest, WithoutAMinimumNothingIsChanged) {
  SuppressedHistogram builder(kExactShift, 1);
  builder.Add(0, 1.5, 1);
  builder.Add(1, 1.5, 1);
  builder.Add(2, -7, 1);
  EXPECT_EQ(builder.Build(100), Exact({1.5, 1.5, -7}));
}

TEST(SuppressedHistogramTest, NoCellShowsFewerCasesThanTheMinimumAndNoWeightIsLost) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed, 0);
    const auto cases_min = static_cast<std::uint32_t>(2 + rng.Below(6));
    SuppressedHistogram builder(kExactShift, cases_min);
    const std::uint64_t cases = cases_min + rng.Below(30);
    for (std::uint64_t i = 0; i < cases; ++i)
      builder.Add(static_cast<std::uint32_t>(i),
                  std::ldexp(1 + std::floor(rng.Uniform() * 8) / 8, static_cast<int>(rng.Below(3))), 1);
    const ValueHistogram shown = builder.Build(100);
    EXPECT_EQ(shown.total(), cases);
    for (const HistogramCell& cell : shown.cells()) EXPECT_GE(cell.weight, cases_min);
  }
}

TEST(SuppressedHistogramTest, ManyVoxelsOfOneCaseAreStillOneCase) {
  SuppressedHistogram builder(kIntensityShift, 3);
  for (std::uint32_t number = 0; number < 3; ++number) builder.Add(number, 100, 10);
  builder.Add(0, 2000, 1000);  // only one case is that bright
  builder.Add(0, 2100, 1000);
  EXPECT_THAT(builder.Build(100).cells(), ElementsAre(CellOf(100, kIntensityShift, 2030)))
      << "the nearest cell that may be shown takes it in";
}

TEST(SuppressedHistogramTest, NeighboursThatTogetherAreEnoughShareAWiderCell) {
  SuppressedHistogram builder(kExactShift, 4);
  for (std::uint32_t number = 0; number < 4; ++number) builder.Add(number, 36 + number % 2, 1);  // 36, 37, 36, 37
  for (std::uint32_t number = 4; number < 9; ++number) builder.Add(number, 50, 1);
  const ValueHistogram shown = builder.Build(100);
  ASSERT_EQ(shown.cells().size(), 2U);
  EXPECT_EQ(ValueOfKey(shown.cells()[0].begin), 36);
  EXPECT_EQ(shown.cells()[0].weight, 4U);
  EXPECT_EQ(shown.cells()[1], CellOf(50, kExactShift, 5)) << "what enough cases share is exact";
  for (const double value : shown.Samples(ValueKind::kWhole)) EXPECT_TRUE((value >= 36 && value < 38) || value == 50);
}

TEST(SuppressedHistogramTest, FewerCasesThanTheMinimumShowNothing) {
  SuppressedHistogram builder(kExactShift, 5);
  for (std::uint32_t number = 0; number < 4; ++number) builder.Add(number, 1, 1);
  EXPECT_TRUE(builder.Build(100).empty());
}

}  // namespace
}  // namespace consilium::datasets
