#include "privacy/dp/pld.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "privacy/dp/fft.h"
#include "privacy/dp/rdp.h"

namespace consilium::dp {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kCellsMax = std::size_t{1} << 25;
// What the bounds may lose to tails and to the martingale's failure, as parts of delta.
constexpr double kTailShare = 1e-5, kRoundingShare = 1e-4;

enum class Side { kRemove, kAdd };  // P = mixture, Q = noise; and the other way round

// P(a < X <= b) of a standard normal, accurate in both tails.
double NormalMass(double a, double b) {
  if (a > 0) return 0.5 * (std::erfc(a / std::sqrt(2.0)) - std::erfc(b / std::sqrt(2.0)));
  return 0.5 * (std::erfc(-b / std::sqrt(2.0)) - std::erfc(-a / std::sqrt(2.0)));
}

// One release of a sampled Gaussian, seen through its loss.
class Loss {
 public:
  Loss(const SampledGaussian& mechanism, Side side)
      : q_(mechanism.sampling_rate), sigma_(mechanism.noise_multiplier), side_(side) {}

  struct Mass {
    double p = 0, q = 0;
  };
  // Masses under P and Q of the outcomes whose loss is in (from, to].
  Mass Between(double from, double to) const {
    // The mixture's loss ln((1-q) + q e^((2x-1) / (2 sigma^2))) grows with x; the other side's is its negative.
    const double a = side_ == Side::kRemove ? Outcome(from) : Outcome(-to);
    const double b = side_ == Side::kRemove ? Outcome(to) : Outcome(-from);
    if (!(b > a)) return {};
    const double noise = NormalMass(a / sigma_, b / sigma_);
    const double mixture = (1 - q_) * noise + q_ * NormalMass((a - 1) / sigma_, (b - 1) / sigma_);
    return side_ == Side::kRemove ? Mass{mixture, noise} : Mass{noise, mixture};
  }

 private:
  // The x at which the mixture's loss is `loss`; -infinity where no outcome has so small a loss.
  double Outcome(double loss) const {
    if (loss == kInfinity) return kInfinity;
    const double above = std::expm1(loss) + q_;  // e^loss - (1 - q)
    if (!(above > 0)) return -kInfinity;
    // For a large loss e^loss would overflow; there 1 - q is nothing beside it.
    const double log_above = loss > 500 ? loss : std::log(above);
    return sigma_ * sigma_ * (log_above - std::log(q_)) + 0.5;
  }
  double q_, sigma_;
  Side side_;
};

// Loss values h * (i - size / 2), i = 0 .. size - 1.
struct Grid {
  double h = 1e-4;
  std::size_t size = 0;
  double At(std::size_t i) const { return h * (static_cast<double>(i) - static_cast<double>(size / 2)); }
};

struct Distribution {
  std::vector<double> mass;  // under P, of each grid value
  double infinite = 0;       // of an infinite loss
};

// Each cell's mass goes to its two ends so that both the P mass and the Q mass are kept.
Distribution Discretize(const Loss& loss, const Grid& grid) {
  Distribution out = {.mass = std::vector<double>(grid.size, 0.0)};
  const double shrink = -std::expm1(-grid.h);  // 1 - e^-h
  for (std::size_t i = 0; i + 1 < grid.size; ++i) {
    const auto [p, q] = loss.Between(grid.At(i), grid.At(i + 1));
    if (p == 0) continue;
    const double upper = std::clamp((p - q * std::exp(grid.At(i))) / shrink, 0.0, p);
    out.mass[i] += p - upper;
    out.mass[i + 1] += upper;
  }
  out.mass[0] += loss.Between(-kInfinity, grid.At(0)).p;  // up to the lowest value: never lowers delta
  out.infinite = loss.Between(grid.At(grid.size - 1), kInfinity).p;
  return out;
}

// The composition of all mechanisms on one side.
Distribution Compose(std::span<const SampledGaussian> mechanisms, Side side, const Grid& grid) {
  std::vector<std::complex<double>> spectrum(grid.size, 1.0), one(grid.size);
  double log_finite = 0;
  for (const SampledGaussian& mechanism : mechanisms) {
    const Distribution single = Discretize(Loss(mechanism, side), grid);
    // Loss 0 at index 0, so that convolution adds losses; negative losses wrap to the end.
    for (std::size_t i = 0; i < grid.size; ++i) one[(i + grid.size / 2) % grid.size] = single.mass[i];
    Fft(one, Direction::kForward);
    const auto steps = static_cast<double>(mechanism.steps);
    for (std::size_t i = 0; i < grid.size; ++i) {
      const double size = std::abs(one[i]);
      spectrum[i] *= size == 0 ? 0.0 : std::polar(std::pow(size, steps), std::fmod(std::arg(one[i]) * steps, 2 * M_PI));
    }
    log_finite += steps * std::log1p(-std::min(single.infinite, 1.0));
  }
  Fft(spectrum, Direction::kInverse);
  Distribution out = {.mass = std::vector<double>(grid.size), .infinite = -std::expm1(log_finite)};
  for (std::size_t i = 0; i < grid.size; ++i)
    out.mass[i] = std::max(0.0, spectrum[(i + grid.size / 2) % grid.size].real());  // noise of 1e-17 either way
  return out;
}

// The smallest epsilon >= 0 on the composed distribution with delta(epsilon) <= delta, where
// delta(eps) = infinite + sum over losses l > eps of mass(l) (1 - e^(eps - l)).
double EpsilonAt(const Distribution& composed, const Grid& grid, double delta) {
  // From the top: above = sum of masses, scaled = sum of mass(l) e^(eps - l), with eps one cell lower each time.
  double above = 0, scaled = 0, decay = std::exp(-grid.h);
  double previous = composed.infinite;  // delta at the value one cell higher
  if (previous > delta) return kInfinity;
  for (std::size_t i = grid.size - 1; i-- > 0;) {
    above += composed.mass[i + 1];
    scaled = (scaled + composed.mass[i + 1]) * decay;
    const double here = composed.infinite + above - scaled;
    if (here > delta) {
      // Between two values delta is linear in e^eps; linear in eps is as good at this distance, and rounds up.
      const double part = here > previous ? (here - delta) / (here - previous) : 1.0;
      return std::max(0.0, grid.At(i) + grid.h * part);
    }
    if (grid.At(i) <= 0) return 0;
    previous = here;
  }
  return 0;
}

// A range that all but `tail` of the composed loss's mass is in, from its moments: P(L > r) <= e^((a-1)(D_a - r)); the
// lower tail has the same bound, because the divergence of the mixture from the noise is the larger one.
double RangeOf(std::span<const SampledGaussian> mechanisms, double tail) {
  RdpCurve curve;
  for (const SampledGaussian& mechanism : mechanisms) CONSILIUM_CHECK(curve.Add(mechanism).ok());
  double range = kInfinity;
  for (std::size_t i = 0; i < curve.orders().size(); ++i)
    range = std::min(range, curve.divergences()[i] - std::log(tail) / (curve.orders()[i] - 1));
  return range;
}

}  // namespace

StatusOr<EpsilonBounds> PldEpsilon(std::span<const SampledGaussian> mechanisms, double delta,
                                   const PldOptions& options) {
  RETURN_IF_ERROR(CheckDelta(delta));
  std::vector<SampledGaussian> active;
  double steps = 0;
  for (const SampledGaussian& mechanism : mechanisms) {
    RETURN_IF_ERROR(CheckMechanism(mechanism));
    if (mechanism.sampling_rate == 0 || mechanism.steps == 0) continue;
    if (mechanism.noise_multiplier == 0) return EpsilonBounds{kInfinity, kInfinity};
    active.push_back(mechanism);
    steps += static_cast<double>(mechanism.steps);
  }
  if (active.empty()) return EpsilonBounds{0, 0};

  // The sum of `steps` roundings, each within h and of mean zero but for h^2 / 8, exceeds `rounding` with probability
  // at most kRoundingShare * delta.
  const double deviation = std::sqrt(steps * std::log(1 / (kRoundingShare * delta)) / 2);
  const double h = std::min(1e-3, options.gap / 2 / deviation);
  const double rounding = h * deviation + steps * h * h / 8;
  // The discretised losses are a little more spread than the true ones.
  const double range = RangeOf(active, kTailShare * delta) + rounding + 1;
  const double cells = 2 * range / h;
  if (!(cells <= static_cast<double>(kCellsMax)))
    return ResourceExhausted("epsilon to within ", options.gap, " needs ", cells, " cells, more than ", kCellsMax,
                             "; ask for a wider gap");
  const Grid grid = {.h = h, .size = std::bit_ceil(static_cast<std::size_t>(std::ceil(cells)) + 2)};

  EpsilonBounds bounds;
  for (const Side side : {Side::kRemove, Side::kAdd}) {
    const Distribution composed = Compose(active, side, grid);
    bounds.upper = std::max(bounds.upper, EpsilonAt(composed, grid, delta * (1 - 2 * kTailShare)));
    bounds.lower =
        std::max(bounds.lower, EpsilonAt(composed, grid, delta * (1 + 2 * kTailShare + kRoundingShare)) - rounding);
  }
  return bounds;
}

}  // namespace consilium::dp
