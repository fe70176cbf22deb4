#include "tests/integration/leakage/pictures.h"

#include <algorithm>
#include <cmath>

#include "comm/base/rng.h"

namespace consilium::attacks {
namespace {

constexpr double kMean = 0.3, kDeviation = 0.35;  // as tests/bench/fashion_mnist.cc
constexpr double kSoftness = 0.6;                 // pixels over which an edge goes from dark to bright

double Bright(double inside) { return 1 / (1 + std::exp(-inside / kSoftness)); }

void Draw(Rng& rng, std::int64_t edge, float* pixels) {
  const auto size = static_cast<double>(edge);
  const bool inverted = rng.Bernoulli(0.5);
  const double ground = rng.Uniform(0, 0.1);
  std::fill_n(pixels, edge * edge, static_cast<float>(ground));
  for (int shape = 0; shape < 3; ++shape) {
    const double x0 = rng.Uniform(0.15, 0.85) * size, y0 = rng.Uniform(0.15, 0.85) * size;
    const double level = rng.Uniform(0.8, 1), radius = rng.Uniform(0.16, 0.3) * size;
    const double angle = rng.Uniform(0, M_PI), half_width = rng.Uniform(0.08, 0.15) * size;
    const bool disc = rng.Bernoulli(0.5);
    for (std::int64_t y = 0; y < edge; ++y)
      for (std::int64_t x = 0; x < edge; ++x) {
        const double dx = static_cast<double>(x) - x0, dy = static_cast<double>(y) - y0;
        const double along = dx * std::cos(angle) + dy * std::sin(angle);
        const double across = dy * std::cos(angle) - dx * std::sin(angle);
        const double inside = disc ? radius - std::hypot(dx, dy)
                                   : std::min(half_width - std::abs(across), 1.6 * radius - std::abs(along));
        float& pixel = pixels[y * edge + x];
        pixel = std::max(pixel, static_cast<float>(ground + (level - ground) * Bright(inside)));
      }
  }
  if (inverted)
    for (std::int64_t i = 0; i < edge * edge; ++i) pixels[i] = 1 - pixels[i];
}

}  // namespace

torch::Tensor MakePictures(std::int64_t count, std::int64_t edge, std::uint64_t seed) {
  torch::Tensor pictures = torch::empty({count, 1, edge, edge});
  for (std::int64_t i = 0; i < count; ++i) {
    Rng rng(seed, static_cast<std::uint64_t>(i));
    Draw(rng, edge, pictures[i].data_ptr<float>());
  }
  return pictures;
}

torch::Tensor Normalized(const torch::Tensor& pictures) { return (pictures - kMean) / kDeviation; }
torch::Tensor Denormalized(const torch::Tensor& inputs) {
  return (torch::nan_to_num(inputs, 0) * kDeviation + kMean).clamp(0, 1);
}

double Psnr(const torch::Tensor& guess, const torch::Tensor& truth) {
  return -10 * std::log10((guess - truth).square().mean().item<double>());
}

std::vector<double> BestPsnrs(const torch::Tensor& guesses, const torch::Tensor& truths) {
  std::vector<double> best(static_cast<std::size_t>(truths.size(0)), -1e9);
  for (std::int64_t i = 0; i < truths.size(0); ++i)
    for (std::int64_t j = 0; j < guesses.size(0); ++j) {
      double& so_far = best[static_cast<std::size_t>(i)];
      so_far = std::max(so_far, Psnr(guesses[j], truths[i]));
    }
  return best;
}

}  // namespace consilium::attacks
