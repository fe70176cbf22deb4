#include "privacy/secagg/vector.h"

#include <algorithm>
#include <cmath>

namespace consilium::secagg {
namespace {

constexpr std::size_t kPieceWords = 256 << 10;  // 1 MiB: enough for several threads, small against any model

std::uint32_t Word(double value) { return static_cast<std::uint32_t>(static_cast<std::int32_t>(std::llround(value))); }

}  // namespace

StatusOr<std::uint64_t> MaskVector(const MaskingSite& site, const VectorInput& input, const ReadValues& read,
                                   const WriteWords& write) {
  CONSILIUM_CHECK(input.weight > 0 && input.weight <= 1, "a weight of ", input.weight);
  ASSIGN_OR_RETURN(const Quantizer quantizer, Quantizer::For(input.clip, input.cohort));
  const double levels = quantizer.levels();
  const double units = std::max(1.0, std::round(input.weight * levels));  // w in units of 1 / Q
  crypto::KeyStream noise(crypto::StreamCipher::kAes256Ctr, input.noise, {});
  std::vector<float> values(std::min<std::uint64_t>(kPieceWords, input.elements));
  std::vector<std::uint32_t> words(values.size());
  std::uint64_t clipped = 0;
  for (std::uint64_t at = 0; at < input.elements; at += kPieceWords) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kPieceWords, input.elements - at));
    const std::span<float> piece = std::span(values).first(count);
    const std::span<std::uint32_t> out = std::span(words).first(count);
    RETURN_IF_ERROR(read(at, piece));
    ASSIGN_OR_RETURN(const std::size_t cut, quantizer.Quantize(piece, units / levels, noise, out));
    clipped += cut;
    site.Mask(at, out, input.threads);
    RETURN_IF_ERROR(write(out));
  }
  std::map<std::string, double> metrics = input.metrics;
  metrics["clipped"] = static_cast<double>(clipped) / static_cast<double>(input.elements);
  std::vector<std::uint32_t> tail = {Word(units)};
  for (const SummedMetric& metric : kMetrics) {
    const auto found = metrics.find(std::string(metric.name));
    const bool there = found != metrics.end() && std::isfinite(found->second);
    const double value = there ? std::clamp(found->second / metric.bound, -1.0, 1.0) : 0;
    tail.push_back(Word(value * units));
    tail.push_back(Word(there ? units : 0));
  }
  site.Mask(input.elements, tail, 1);
  RETURN_IF_ERROR(write(tail));
  return clipped;
}

Status ReadSum(const SumInput& input, const ReadWords& read, std::uint64_t begin, std::span<std::uint32_t> out) {
  std::vector<std::uint32_t> one(out.size());
  std::ranges::fill(out, 0);
  for (std::size_t i = 0; i < input.survivors; ++i) {
    RETURN_IF_ERROR(read(i, begin, one));
    for (std::size_t k = 0; k < out.size(); ++k) out[k] += one[k];
  }
  const std::vector<MaskTerm> masks = input.unmasking->Terms();
  ApplyMasks(masks, {.cipher = input.terms.cipher, .context = input.context, .threads = std::max(1u, input.threads)},
             begin, out);
  return Status();
}

StatusOr<SumResult> SumVectors(const SumInput& input, const ReadWords& read, const WriteValues& write) {
  ASSIGN_OR_RETURN(const Quantizer quantizer, Quantizer::For(input.terms.clip, input.terms.cohort.size()));
  const std::uint64_t dimension = input.terms.dimension;
  if (dimension <= DimensionFor(0)) return InvalidArgument("a vector of ", dimension, " coordinates has no update");
  const std::uint64_t elements = dimension - DimensionFor(0);
  std::vector<std::uint32_t> sum;
  std::vector<double> real;
  // The real numbers of coordinates at .. at + count, summed over the survivors.
  const auto add_up = [&](std::uint64_t at, std::size_t count) -> Status {
    sum.resize(count), real.resize(count);
    RETURN_IF_ERROR(ReadSum(input, read, at, sum));
    return Annotate(quantizer.Dequantize(sum, input.survivors, real), "coordinates from ", at);
  };
  RETURN_IF_ERROR(add_up(elements, static_cast<std::size_t>(dimension - elements)));
  const double step = quantizer.step();
  const double units = real[0] / step;  // sum of the weights in units of 1 / Q
  if (!(units >= 1)) return DataLoss("the sites' weights add up to ", units, " units; a site broke the protocol");
  SumResult result{.weight = units / quantizer.levels(), .metrics = {}};
  for (std::size_t i = 0; i < kMetrics.size(); ++i) {
    const double value = real[1 + 2 * i] / step, weight = real[2 + 2 * i] / step;
    if (weight >= 1) result.metrics[std::string(kMetrics[i].name)] = value / weight * kMetrics[i].bound;
  }
  std::vector<float> means;
  for (std::uint64_t at = 0; at < elements; at += kPieceWords) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kPieceWords, elements - at));
    RETURN_IF_ERROR(add_up(at, count));
    means.resize(count);
    for (std::size_t k = 0; k < count; ++k) means[k] = static_cast<float>(real[k] / result.weight);
    RETURN_IF_ERROR(write(means));
  }
  return result;
}

}  // namespace consilium::secagg
