// Each strategy against its paper's formula, written down once more over whole vectors and as plainly as can be.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "tests/unit/coordinator/strategies/dense_fold.h"

namespace consilium::coordinator {
namespace {

constexpr std::size_t kSize = 5000;  // more than a block of products and than a stretch of columns
constexpr std::size_t kSites = 7;
constexpr double kNear = 2e-5;  // relative; both sides round the model to f32 once a round

// A round: the global model x before it, what each site trained (y), its weight and metrics.
struct RoundOfUpdates {
  Vector x;
  std::vector<Vector> y, d, auxiliary;
  Vector p, staleness, loss, tau;
};

// Given what the reference keeps between rounds, the new global model.
using Reference = std::function<Vector(const RoundOfUpdates&, std::vector<Vector>* state)>;

// Three rounds of random updates through both.
void Compare(const wire::FederationSpec& federation, const Reference& reference, std::size_t sites_total = kSites) {
  Rng rng(17);
  DenseFold fold(federation, RandomVector(&rng, kSize), sites_total);
  std::vector<Vector> state;
  for (int round = 0; round < 3; ++round) {
    RoundOfUpdates updates{.x = fold.model()};
    std::vector<DenseUpdate> sent;
    double total = 0;
    for (std::size_t i = 0; i < kSites; ++i) {
      const double weight = 1 + static_cast<double>(rng.Below(9));
      updates.y.push_back(Combination({1, 0.3}, {updates.x, RandomVector(&rng, kSize)}));
      for (double& value : updates.y.back()) value = static_cast<float>(value);
      updates.d.push_back(Difference(updates.y.back(), updates.x));
      updates.auxiliary.push_back(RandomVector(&rng, kSize));
      updates.p.push_back(weight);
      updates.staleness.push_back(static_cast<double>(rng.Below(5)));
      updates.loss.push_back(0.1 + rng.Uniform());
      updates.tau.push_back(1 + static_cast<double>(rng.Below(20)));
      total += weight;
      sent.push_back(fold.UpdateOf(SiteNumber(i), updates.y.back(), weight));
      sent.back().auxiliary = updates.auxiliary.back();
      sent.back().staleness = static_cast<std::uint32_t>(updates.staleness.back());
      sent.back().metrics = {{"loss_before", updates.loss.back()}, {"tau", updates.tau.back()}};
    }
    for (double& share : updates.p) share /= total;
    const Vector expected = reference(updates, &state);
    ASSERT_TRUE(fold.Fold(sent).ok());
    ASSERT_LE(Distance(fold.model(), expected), kNear * Distance(expected, Vector(kSize)))
        << federation.strategy << ", round " << round;
  }
}

// Of every coordinate, what `pick` makes of its sorted values.
Vector ByCoordinate(const std::vector<Vector>& y, const std::function<double(Vector)>& pick) {
  Vector result;
  for (std::size_t k = 0; k < y.front().size(); ++k) {
    Vector column;
    for (const Vector& values : y) column.push_back(values[k]);
    std::sort(column.begin(), column.end());
    result.push_back(pick(column));
  }
  return result;
}

double MeanOf(const Vector& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Krum's choice among `y`.
std::size_t KrumIndex(const std::vector<Vector>& y, std::size_t f) {
  Vector scores;
  for (std::size_t i = 0; i < y.size(); ++i) {
    Vector squares;
    for (std::size_t j = 0; j < y.size(); ++j)
      if (i != j) squares.push_back(std::pow(Distance(y[i], y[j]), 2));
    std::sort(squares.begin(), squares.end());
    squares.resize(std::max<std::size_t>(1, std::min(squares.size(), y.size() > f + 2 ? y.size() - f - 2 : 1)));
    scores.push_back(std::accumulate(squares.begin(), squares.end(), 0.0));
  }
  return static_cast<std::size_t>(std::min_element(scores.begin(), scores.end()) - scores.begin());
}

TEST(StrategyReference, FedAvgAndItsKinAreTheWeightedMean) {
  const Reference mean = [](const RoundOfUpdates& r, auto*) { return Combination(r.p, r.y); };
  for (const char* name : {"fedavg", "fedprox", "ditto", "clustered", "mixing"}) Compare(Federation(name), mean);
}

TEST(StrategyReference, FedAvgMIsHsusMomentum) {
  Compare(Federation("fedavgm", {{"momentum", 0.7}, {"server_learning_rate", 0.8}}), [](const auto& r, auto* state) {
    if (state->empty()) state->assign(1, Vector(kSize));
    (*state)[0] = Combination({0.7, 1}, {(*state)[0], Combination(r.p, r.d)});
    return Combination({1, 0.8}, {r.x, (*state)[0]});
  });
}

TEST(StrategyReference, FedAdamYogiAndAdagradAreReddisAlgorithm2) {
  for (const std::string name : {"fedadam", "fedyogi", "fedadagrad"}) {
    const double beta1 = 0.6, beta2 = 0.8, eta = 0.05, tau = 0.02;
    wire::StrategyParameters parameters = {{"beta1", beta1}, {"server_learning_rate", eta}, {"tau", tau}};
    if (name != "fedadagrad") parameters["beta2"] = beta2;
    Compare(Federation(name, parameters), [&](const auto& r, auto* state) {
      if (state->empty()) *state = {Vector(kSize), Vector(kSize, tau * tau)};
      const Vector d = Combination(r.p, r.d);
      Vector x = r.x;
      for (std::size_t k = 0; k < kSize; ++k) {
        double &m = (*state)[0][k], &v = (*state)[1][k];
        const double square = d[k] * d[k];
        m = beta1 * m + (1 - beta1) * d[k];
        if (name == "fedadam") v = beta2 * v + (1 - beta2) * square;
        if (name == "fedyogi") v = v - (1 - beta2) * square * (v > square ? 1 : v < square ? -1 : 0);
        if (name == "fedadagrad") v = v + square;
        x[k] += eta * m / (std::sqrt(v) + tau);
      }
      return x;
    });
  }
}

TEST(StrategyReference, ScaffoldMovesTheModelAndTheControl) {
  // Seven of ten sites take part.
  Rng rng(5);
  DenseFold fold(Federation("scaffold", {{"server_learning_rate", 0.5}}), RandomVector(&rng, kSize), 10);
  Vector x = fold.model(), c(kSize);
  for (int round = 0; round < 3; ++round) {
    std::vector<DenseUpdate> sent;
    for (std::size_t i = 0; i < kSites; ++i) {
      sent.push_back(
          {.site = SiteNumber(i), .values = RandomVector(&rng, kSize), .auxiliary = RandomVector(&rng, kSize)});
      x = Combination({1, 0.5 / kSites}, {x, sent.back().values});
      c = Combination({1, 1 / 10.0}, {c, sent.back().auxiliary});  // n/N times the mean
    }
    ASSERT_TRUE(fold.Fold(sent).ok());
    EXPECT_LE(Distance(fold.model(), x), kNear * Distance(x, Vector(kSize)));
    EXPECT_LE(Distance(fold.state(0), c), kNear * Distance(c, Vector(kSize)));
  }
}

TEST(StrategyReference, FedNovaNormalisesBySteps) {
  Compare(Federation("fednova", {{"server_learning_rate", 0.9}}), [](const RoundOfUpdates& r, auto*) {
    double effective = 0;
    for (std::size_t i = 0; i < kSites; ++i) effective += r.p[i] * r.tau[i];
    Vector x = r.x;
    for (std::size_t i = 0; i < kSites; ++i) x = Combination({1, 0.9 * effective * r.p[i] / r.tau[i]}, {x, r.d[i]});
    return x;
  });
}

TEST(StrategyReference, FedDynIsAcarsAlgorithmWithAnyAlpha) {
  for (const double alpha : {0.01, 3.0}) {
    Compare(
        Federation("feddyn", {{"alpha", alpha}}),
        [&](const RoundOfUpdates& r, auto* state) {
          if (state->empty()) state->assign(1, Vector(kSize));
          Vector& h = (*state)[0];
          h = Combination({1, -alpha * kSites / 9.0}, {h, Combination(r.p, r.d)});
          return Combination({1, -1 / alpha}, {Combination(r.p, r.y), h});
        },
        /*sites_total=*/9);
  }
}

TEST(StrategyReference, QFedAvgIsLisAlgorithm2) {
  for (const double q : {0.0, 0.5, 3.0}) {
    const double lipschitz = 20;
    Compare(Federation("qfedavg", {{"q", q}, {"lipschitz", lipschitz}}), [&](const RoundOfUpdates& r, auto*) {
      Vector numerator(kSize);
      double denominator = 0;
      for (std::size_t i = 0; i < kSites; ++i) {
        const Vector change = Combination({lipschitz}, {Difference(r.x, r.y[i])});
        const double norm = Distance(change, Vector(kSize)), loss = r.loss[i];
        numerator = Combination({1, r.p[i] * std::pow(loss, q)}, {numerator, change});
        denominator += r.p[i] * (q * std::pow(loss, q - 1) * norm * norm + lipschitz * std::pow(loss, q));
      }
      return Combination({1, -1 / denominator}, {r.x, numerator});
    });
  }
}

TEST(StrategyReference, FedBuffDiscountsByTheRootOfStaleness) {
  Compare(Federation("fedbuff", {{"server_learning_rate", 0.7}}), [](const RoundOfUpdates& r, auto*) {
    Vector x = r.x;
    for (std::size_t i = 0; i < kSites; ++i)
      x = Combination({1, 0.7 * r.p[i] / std::sqrt(1 + r.staleness[i])}, {x, r.d[i]});
    return x;
  });
}

TEST(StrategyReference, MedianAndTrimmedMeanSortEveryCoordinate) {
  Compare(Federation("median"),
          [](const auto& r, auto*) { return ByCoordinate(r.y, [](Vector v) { return v[kSites / 2]; }); });
  Compare(Federation("trimmed_mean", {{"trim", 0.2}}), [](const auto& r, auto*) {  // ceil(1.4) = 2 of 7 at each end
    return ByCoordinate(r.y, [](Vector v) { return MeanOf(Vector(v.begin() + 2, v.end() - 2)); });
  });
}

TEST(StrategyReference, KrumAndMultiKrumScoreByNeighbours) {
  Compare(Federation("krum", {{"byzantine", 2}}),
          [](const RoundOfUpdates& r, auto*) { return r.y[KrumIndex(r.y, 2)]; });
  Compare(Federation("multi_krum", {{"byzantine", 1}, {"select", 1}}),
          [](const RoundOfUpdates& r, auto*) { return r.y[KrumIndex(r.y, 1)]; });
}

TEST(StrategyReference, BulyanChoosesByKrumAndThenAroundTheMedian) {
  Compare(Federation("bulyan", {{"byzantine", 1}}), [](const RoundOfUpdates& r, auto*) {
    std::vector<Vector> left = r.y, chosen;
    while (chosen.size() < kSites - 2) {
      const auto best = static_cast<std::ptrdiff_t>(KrumIndex(left, 1));
      chosen.push_back(left[static_cast<std::size_t>(best)]);
      left.erase(left.begin() + best);
    }
    return ByCoordinate(chosen, [](Vector v) {  // the 3 of 5 nearest to the median
      const double median = v[2];
      std::sort(v.begin(), v.end(), [&](double a, double b) { return std::abs(a - median) < std::abs(b - median); });
      return MeanOf(Vector(v.begin(), v.begin() + 3));
    });
  });
}

TEST(StrategyReference, GeometricMedianIsWeiszfeldsOverWholeVectors) {
  Compare(Federation("geometric_median", {{"iterations", 500}}), [](const RoundOfUpdates& r, auto*) {
    Vector z = Combination(r.p, r.y);
    for (int step = 0; step < 500; ++step) {
      Vector beta;
      for (std::size_t i = 0; i < kSites; ++i) beta.push_back(r.p[i] / std::max(1e-9, Distance(z, r.y[i])));
      const double sum = std::accumulate(beta.begin(), beta.end(), 0.0);
      for (double& b : beta) b /= sum;
      z = Combination(beta, r.y);
    }
    return z;
  });
}

TEST(StrategyReference, NormClippingShortensToTheBoundOrTheMedianNorm) {
  for (const double bound : {0.0, 15.0}) {
    Compare(Federation("norm_clipping", {{"bound", bound}, {"median_multiple", 0.999}}),
            [&](const RoundOfUpdates& r, auto*) {
              Vector norms;
              for (const Vector& d : r.d) norms.push_back(Distance(d, Vector(kSize)));
              Vector sorted = norms, x = r.x;
              std::sort(sorted.begin(), sorted.end());
              const double c = bound > 0 ? bound : 0.999 * sorted[kSites / 2];
              for (std::size_t i = 0; i < kSites; ++i)
                x = Combination({1, r.p[i] * std::min(1.0, c / norms[i])}, {x, r.d[i]});
              return x;
            });
  }
}

}  // namespace
}  // namespace consilium::coordinator
