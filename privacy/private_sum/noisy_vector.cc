#include "privacy/private_sum/noisy_vector.h"

#include <cmath>
#include <vector>

#include "privacy/dp/noise.h"
#include "privacy/dp/poisson.h"

namespace consilium::private_sum {
namespace {

constexpr std::size_t kPieceWords = 256 << 10;
// Each is good with a probability of at least 1 - e^-1/2: all are bad once in 10^218.
constexpr int kRoundingsMax = 1000;

StatusOr<double> NormOf(std::uint64_t elements, const secagg::ReadValues& read) {
  std::vector<float> values(std::min<std::uint64_t>(kPieceWords, elements));
  double square = 0;
  for (std::uint64_t at = 0; at < elements; at += kPieceWords) {
    const auto piece = std::span(values).first(std::min<std::uint64_t>(kPieceWords, elements - at));
    RETURN_IF_ERROR(read(at, piece));
    for (std::size_t i = 0; i < piece.size(); ++i) {
      if (!std::isfinite(piece[i]))
        return InvalidArgument("value ", at + i, " of the update is ", piece[i], "; every value must be finite");
      square += static_cast<double>(piece[i]) * static_cast<double>(piece[i]);
    }
  }
  return std::sqrt(square);
}

// One rounding of the scaled vector; the same `draws` give the same.
class Rounding {
 public:
  Rounding(const NoisyInput& input, double norm, const secagg::ReadValues& read, int number)
      : plan_(input.plan),
        read_(read),
        scale_(input.plan.update_levels() / input.clip * std::min(1.0, input.clip / norm)),
        bit_((norm <= input.clip ? 1 : -1) * input.plan.bit_share * input.plan.levels),
        draws_(input.secret, Concat(input.release, "/rounding ", number)) {}

  Status Run(const TakeWords& take) {
    const std::uint64_t elements = plan_.elements;
    std::vector<float> values(std::min<std::uint64_t>(kPieceWords, elements));
    std::vector<std::uint32_t> words(values.size());
    for (std::uint64_t at = 0; at < elements; at += kPieceWords) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kPieceWords, elements - at));
      RETURN_IF_ERROR(read_(at, std::span(values).first(count)));
      for (std::size_t i = 0; i < count; ++i) words[i] = Round(static_cast<double>(values[i]) * scale_);
      RETURN_IF_ERROR(take(at, std::span(words).first(count)));
    }
    if (plan_.coordinates() == elements) return Status();
    std::uint32_t bit = Round(bit_);
    return take(elements, {&bit, 1});
  }

 private:
  // Up or down by chance, so that it is right on average.
  std::uint32_t Round(double value) {
    return static_cast<std::uint32_t>(static_cast<std::int64_t>(std::floor(value + draws_.Uniform())));
  }

  const NoisePlan& plan_;
  const secagg::ReadValues& read_;
  double scale_, bit_;
  dp::NoiseSource draws_;
};

// The first rounding whose norm is within the bound: what the account counts on, whatever floats did before.
StatusOr<int> GoodRounding(const NoisyInput& input, double norm, const secagg::ReadValues& read) {
  const double bound = input.plan.NormBound();
  for (int number = 0; number < kRoundingsMax; ++number) {
    double square = 0;  // of whole numbers below 2^31: exact as long as it matters
    RETURN_IF_ERROR(Rounding(input, norm, read, number).Run([&](std::uint64_t, std::span<std::uint32_t> words) {
      for (const std::uint32_t word : words) {
        const double value = static_cast<std::int32_t>(word);
        square += value * value;
      }
      return Status();
    }));
    if (square <= bound * bound) return number;
  }
  return DataLoss("no rounding of the update is within its bound of ", bound, "; this cannot be");
}

}  // namespace

StatusOr<double> MakeNoisyVector(const NoisyInput& input, const secagg::ReadValues& read, const TakeWords& take) {
  if (!(input.clip >= wire::kSiteClipMin && input.clip <= wire::kSiteClipMax))
    return InvalidArgument("a clip of ", input.clip, "; it must be between ", wire::kSiteClipMin, " and ",
                           wire::kSiteClipMax);
  ASSIGN_OR_RETURN(const double norm, NormOf(input.plan.elements, read));
  ASSIGN_OR_RETURN(const int number, GoodRounding(input, norm, read));
  const dp::PoissonSampler poisson(input.plan.poisson_mean);
  dp::NoiseSource noise(input.secret, input.release + "/noise");
  RETURN_IF_ERROR(
      Rounding(input, norm, read, number).Run([&](std::uint64_t begin, std::span<std::uint32_t> words) -> Status {
        dp::AddSkellam(poisson, &noise, words);
        return take(begin, words);
      }));
  return norm;
}

StatusOr<double> MaskNoisyVector(const secagg::MaskingSite& site, const NoisyInput& input,
                                 const secagg::ReadValues& read, const secagg::WriteWords& write) {
  return MakeNoisyVector(input, read, [&](std::uint64_t begin, std::span<std::uint32_t> words) {
    site.Mask(begin, words, input.threads);
    return write(words);
  });
}

StatusOr<NoisySum> ReadNoisySum(const secagg::SumInput& input, const NoisePlan& plan, double clip,
                                const secagg::ReadWords& read, const secagg::WriteValues& write) {
  if (input.terms.dimension != plan.coordinates())
    return InvalidArgument("a vector of ", input.terms.dimension, " coordinates, ", plan.coordinates(), " were agreed");
  const auto survivors = static_cast<double>(input.survivors);
  const double most = plan.SumBound(input.survivors), unit = clip / plan.update_levels() / survivors;
  std::vector<std::uint32_t> words;
  const auto add_up = [&](std::uint64_t at, std::size_t count) -> Status {
    words.resize(count);
    RETURN_IF_ERROR(secagg::ReadSum(input, read, at, words));
    for (std::size_t i = 0; i < count; ++i)
      if (std::abs(static_cast<double>(static_cast<std::int32_t>(words[i]))) > most)
        return DataLoss("coordinate ", at + i, " of the sum is ", static_cast<std::int32_t>(words[i]), ", more than ",
                        input.survivors, " sites can make: masks are left over, or a site broke the protocol");
    return Status();
  };
  NoisySum result;
  if (plan.bit_share > 0) {
    RETURN_IF_ERROR(add_up(plan.elements, 1));
    const double bits = static_cast<std::int32_t>(words[0]) / (plan.bit_share * plan.levels);
    result.share_below = (1 + bits / survivors) / 2;
  }
  std::vector<float> means;
  for (std::uint64_t at = 0; at < plan.elements; at += kPieceWords) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kPieceWords, plan.elements - at));
    RETURN_IF_ERROR(add_up(at, count));
    means.resize(count);
    for (std::size_t k = 0; k < count; ++k) means[k] = static_cast<float>(static_cast<std::int32_t>(words[k]) * unit);
    RETURN_IF_ERROR(write(means));
  }
  return result;
}

}  // namespace consilium::private_sum
