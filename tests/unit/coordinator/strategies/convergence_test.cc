// Every strategy by name on a heterogeneous quadratic problem whose optima are known in closed form.
//
// Site i minimises f_i(y) = (y - b_i)' A_i (y - b_i) / 2 with weight p_i.  The optimum of sum p_i f_i is
// x* = (sum p_i A_i)^-1 sum p_i A_i b_i.  Strategies that aim elsewhere are held to what their papers say they find.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>

#include "tests/unit/coordinator/strategies/dense_fold.h"

namespace consilium::coordinator {
namespace {

constexpr std::size_t kDim = 4, kSites = 7;
using Matrix = std::vector<Vector>;  // rows

Vector Times(const Matrix& a, const Vector& x) {
  Vector result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < x.size(); ++j) result[i] += a[i][j] * x[j];
  return result;
}

// Gauss with pivots.
Vector Solve(Matrix a, Vector b) {
  for (std::size_t c = 0; c < b.size(); ++c) {
    std::size_t pivot = c;
    for (std::size_t r = c; r < b.size(); ++r)
      if (std::abs(a[r][c]) > std::abs(a[pivot][c])) pivot = r;
    std::swap(a[c], a[pivot]);
    std::swap(b[c], b[pivot]);
    for (std::size_t r = 0; r < b.size(); ++r) {
      if (r == c) continue;
      const double factor = a[r][c] / a[c][c];
      for (std::size_t k = c; k < b.size(); ++k) a[r][k] -= factor * a[c][k];
      b[r] -= factor * b[c];
    }
  }
  for (std::size_t c = 0; c < b.size(); ++c) b[c] /= a[c][c];
  return b;
}

enum class Shape { kDifferentCurvature, kSameCurvature };  // the latter: A_i = I, so that d_i points at b_i

struct Problem {
  std::vector<Matrix> a;
  std::vector<Vector> b;
  Vector weights, p;

  explicit Problem(Shape shape) {
    Rng rng(21);
    double total = 0;
    for (std::size_t i = 0; i < kSites; ++i) {
      const Matrix g = {RandomVector(&rng, kDim), RandomVector(&rng, kDim), RandomVector(&rng, kDim),
                        RandomVector(&rng, kDim)};
      Matrix curvature(kDim, Vector(kDim));
      for (std::size_t r = 0; r < kDim; ++r)
        for (std::size_t c = 0; c < kDim; ++c) {
          for (std::size_t k = 0; k < kDim && shape == Shape::kDifferentCurvature; ++k)
            curvature[r][c] += 0.2 * g[k][r] * g[k][c];
          if (r == c) curvature[r][c] += shape == Shape::kDifferentCurvature ? 0.3 : 1.0;
        }
      a.push_back(curvature);
      b.push_back(RandomVector(&rng, kDim));
      weights.push_back(1 + static_cast<double>(rng.Below(5)));
      total += weights.back();
    }
    for (const double weight : weights) p.push_back(weight / total);
  }
  Vector Gradient(std::size_t i, const Vector& y) const { return Times(a[i], Difference(y, b[i])); }
  double Loss(std::size_t i, const Vector& y) const {
    const Vector difference = Difference(y, b[i]), gradient = Gradient(i, y);
    double sum = 0;
    for (std::size_t k = 0; k < kDim; ++k) sum += difference[k] * gradient[k] / 2;
    return sum;
  }
  // argmin sum_i c_i f_i.
  Vector Optimum(const Vector& c) const {
    Matrix sum(kDim, Vector(kDim));
    Vector right(kDim);
    for (std::size_t i = 0; i < kSites; ++i) {
      for (std::size_t r = 0; r < kDim; ++r) sum[r] = Combination({1, c[i]}, {sum[r], a[i][r]});
      right = Combination({1, c[i]}, {right, Times(a[i], b[i])});
    }
    return Solve(sum, right);
  }
  // `steps` of gradient descent on f_i + extra, from x.
  Vector Descend(std::size_t i, const Vector& x, int steps, double rate,
                 const std::function<Vector(const Vector&)>& extra = nullptr) const {
    Vector y = x;
    for (int step = 0; step < steps; ++step) {
      y = Combination({1, -rate}, {y, Gradient(i, y)});
      if (extra) y = Combination({1, -rate}, {y, extra(y)});
    }
    return y;
  }
};

// Rounds until the model stands still as far as f32 goes.
using Train = std::function<DenseUpdate(DenseFold& fold, std::size_t site)>;
Vector Converged(DenseFold& fold, int rounds, const Train& train) {
  for (int round = 0; round < rounds; ++round) {
    std::vector<DenseUpdate> updates;
    for (std::size_t i = 0; i < kSites; ++i) updates.push_back(train(fold, i));
    const Status status = fold.Fold(updates);
    EXPECT_TRUE(status.ok()) << status;
  }
  return fold.model();
}

const Vector kStart = {3, -2, 1, 2};

// One gradient step a round: every averaging strategy is then a gradient method on sum p_i f_i.
Vector OneStepRounds(const Problem& problem, const wire::FederationSpec& federation, int rounds, double rate) {
  DenseFold fold(federation, kStart, kSites);
  return Converged(fold, rounds, [&](DenseFold& f, std::size_t i) {
    DenseUpdate update = f.UpdateOf(SiteNumber(i), problem.Descend(i, f.model(), 1, rate), problem.weights[i]);
    update.metrics = {{"loss_before", problem.Loss(i, f.model())}, {"tau", 1}};
    update.staleness = 2;  // of all alike: only the pace changes
    return update;
  });
}

using Case = std::function<void(const std::string& name)>;

void ReachesTheOptimum(const std::string& name, const wire::StrategyParameters& parameters, int rounds,
                       double tolerance) {
  const Problem problem(Shape::kDifferentCurvature);
  const Vector found = OneStepRounds(problem, Federation(name, parameters), rounds, 0.2);
  EXPECT_LE(Distance(found, problem.Optimum(problem.p)), tolerance) << name;
}

// With A_i = I and one step, d_i = rate (b_i - x): a rule that commutes with shifts and scales finds its own value of
// the b_i.
void FindsItsOwnCentre(const std::string& name, const wire::StrategyParameters& parameters) {
  const Problem problem(Shape::kSameCurvature);
  DenseFold centre(Federation(name, parameters), Vector(kDim), kSites);
  std::vector<DenseUpdate> points;
  for (std::size_t i = 0; i < kSites; ++i)
    points.push_back(centre.UpdateOf(SiteNumber(i), problem.b[i], problem.weights[i]));
  ASSERT_TRUE(centre.Fold(points).ok());
  const Vector found = OneStepRounds(problem, Federation(name, parameters), 200, 0.3);
  EXPECT_LE(Distance(found, centre.model()), 1e-4) << name;
}

// Federated averaging of K local steps stands still where x = sum p_i (M_i x + (1 - M_i) b_i), M_i = (1 - rate A_i)^K:
// not at the optimum.  FedProx drifts the same way on f_i + mu/2 |y - x|^2.
void StandsAtTheDriftedPoint(const std::string& name, double mu) {
  const Problem problem(Shape::kDifferentCurvature);
  const wire::StrategyParameters parameters =
      name == "fedprox" ? wire::StrategyParameters{{"mu", mu}} : wire::StrategyParameters{};
  DenseFold fold(Federation(name, parameters), kStart, kSites);
  const auto trained = [&](std::size_t i, const Vector& x) {
    return problem.Descend(i, x, 10, 0.1, [&](const Vector& y) { return Combination({mu, -mu}, {y, x}); });
  };
  const Vector found = Converged(fold, 150, [&](DenseFold& f, std::size_t i) {
    return f.UpdateOf(SiteNumber(i), trained(i, f.model()), problem.weights[i]);
  });
  // Each trained(i) is affine: y = M x + c.  Columns of sum p_i M_i by differences; then (1 - M) x = c.
  Vector c(kDim);
  Matrix one_minus_m(kDim, Vector(kDim));
  for (std::size_t i = 0; i < kSites; ++i) {
    const Vector at_zero = trained(i, Vector(kDim));
    c = Combination({1, problem.p[i]}, {c, at_zero});
    for (std::size_t k = 0; k < kDim; ++k) {
      Vector unit(kDim);
      unit[k] = 1;
      const Vector column = Difference(trained(i, unit), at_zero);
      for (std::size_t r = 0; r < kDim; ++r) one_minus_m[r][k] += problem.p[i] * ((r == k) - column[r]);
    }
  }
  EXPECT_LE(Distance(found, Solve(one_minus_m, c)), 1e-5) << name;
  EXPECT_GT(Distance(found, problem.Optimum(problem.p)), 1e-3) << name << ": the problem is too tame to show drift";
}

void ScaffoldReachesTheOptimumInSpiteOfLocalSteps(const std::string& name) {
  const Problem problem(Shape::kDifferentCurvature);
  constexpr int kSteps = 10;
  constexpr double kRate = 0.05;
  DenseFold fold(Federation(name), kStart, kSites);
  std::vector<Vector> own(kSites, Vector(kDim));
  const Vector found = Converged(fold, 400, [&](DenseFold& f, std::size_t i) {
    const Vector c = f.state(0), x = f.model();
    const Vector y = problem.Descend(i, x, kSteps, kRate, [&](const Vector&) { return Difference(c, own[i]); });
    // Option II: c_i' = c_i - c + (x - y) / (K rate).
    const Vector next = Combination({1, -1, 1 / (kSteps * kRate), -1 / (kSteps * kRate)}, {own[i], c, x, y});
    DenseUpdate update = f.UpdateOf(SiteNumber(i), y, problem.weights[i]);
    update.auxiliary = Difference(next, own[i]);
    own[i] = next;
    return update;
  });
  EXPECT_LE(Distance(found, problem.Optimum(problem.p)), 1e-4);
}

void FedDynReachesTheOptimumInSpiteOfLocalSteps(const std::string& name) {
  const Problem problem(Shape::kDifferentCurvature);
  constexpr double kAlpha = 0.5;
  DenseFold fold(Federation(name, {{"alpha", kAlpha}}), kStart, kSites);
  std::vector<Vector> gradient(kSites, Vector(kDim));  // of f_i where the site last stood
  const Vector found = Converged(fold, 300, [&](DenseFold& f, std::size_t i) {
    const Vector x = f.model();
    const Vector y = problem.Descend(i, x, 200, 0.1, [&](const Vector& at) {
      return Combination({-1, kAlpha, -kAlpha}, {gradient[i], at, x});
    });
    gradient[i] = Combination({1, -kAlpha, kAlpha}, {gradient[i], y, x});
    return f.UpdateOf(SiteNumber(i), y, problem.weights[i]);
  });
  EXPECT_LE(Distance(found, problem.Optimum(problem.p)), 1e-4);
}

// Sites do 2 to 20 steps.  As the rate goes to 0 FedNova's fixed point goes to the optimum; FedAvg's goes to that of
// weights p_i tau_i (Wang et al., theorem 1).
void FedNovaIsConsistentWhereFedAvgIsNot(const std::string& name) {
  const Problem problem(Shape::kDifferentCurvature);
  const auto found = [&](const std::string& strategy) {
    DenseFold fold(Federation(strategy), kStart, kSites);
    return Converged(fold, 1500, [&](DenseFold& f, std::size_t i) {
      const int steps = 2 + 3 * static_cast<int>(i);
      DenseUpdate update = f.UpdateOf(SiteNumber(i), problem.Descend(i, f.model(), steps, 0.001), problem.weights[i]);
      update.metrics = {{"tau", steps}};
      return update;
    });
  };
  Vector skewed = problem.p;
  for (std::size_t i = 0; i < kSites; ++i) skewed[i] *= 2 + 3 * static_cast<double>(i);
  const Vector optimum = problem.Optimum(problem.p);
  EXPECT_LE(Distance(found(name), optimum), 0.01);
  EXPECT_GT(Distance(found("fedavg"), optimum), 0.1);
  EXPECT_LE(Distance(found("fedavg"), problem.Optimum(skewed)), 0.01);
}

// At its fixed point q-FedAvg has sum p_i f_i^q grad f_i = 0: the optimum of sum p_i f_i^(q+1), with losses spread more
// evenly than at q = 0.
void QFedAvgMinimisesTheFairObjective(const std::string& name) {
  const Problem problem(Shape::kDifferentCurvature);
  const auto spread = [&](const Vector& x) {
    double sum = 0, square = 0;
    for (std::size_t i = 0; i < kSites; ++i) {
      sum += problem.p[i] * problem.Loss(i, x);
      square += problem.p[i] * std::pow(problem.Loss(i, x), 2);
    }
    return std::sqrt(square - sum * sum);
  };
  const Vector found = OneStepRounds(problem, Federation(name, {{"q", 2}, {"lipschitz", 1 / 0.2}}), 3000, 0.2);
  Vector gradient(kDim);
  for (std::size_t i = 0; i < kSites; ++i)
    gradient =
        Combination({1, problem.p[i] * std::pow(problem.Loss(i, found), 2)}, {gradient, problem.Gradient(i, found)});
  EXPECT_LE(Distance(gradient, Vector(kDim)), 1e-4);
  EXPECT_LT(spread(found), 0.9 * spread(problem.Optimum(problem.p)));
}

// Two groups of sites that want different things: found from the directions of their updates, each ends at its own
// group's optimum.
void ClusteredFindsTheGroups(const std::string& name) {
  Problem problem(Shape::kSameCurvature);
  for (std::size_t i = 0; i < kSites; ++i) {
    const double side = i % 2 == 0 ? 5 : -5;
    for (double& value : problem.b[i]) value = 0.2 * value + side;
  }
  DenseFold fold(Federation(name), kStart, kSites);
  Converged(fold, 120, [&](DenseFold& f, std::size_t i) {
    const Vector base = f.ModelOf(SiteNumber(i));
    return DenseUpdate{
        .site = SiteNumber(i), .values = problem.Descend(i, base, 3, 0.2), .weight = problem.weights[i], .base = base};
  });
  EXPECT_EQ(fold.plan().notes["groups"],
            "hospital-0,hospital-2,hospital-4,hospital-6|hospital-1,hospital-3,hospital-5");
  for (std::size_t i = 0; i < kSites; ++i) {
    Vector group(kSites);
    for (std::size_t j = i % 2; j < kSites; j += 2) group[j] = problem.weights[j];
    EXPECT_LE(Distance(fold.ModelOf(SiteNumber(i)), problem.Optimum(group)), 1e-4) << "site " << i;
  }
}

// x_i = W_ii y_i(x_i) + sum_j W_ij y_j(x_j) at the fixed point; with A_i = I and one step of rate r, y_j = x_j + r (b_j
// - x_j), it is (1 - (1 - r) W) x = r W b in each coordinate.
void MixingStandsAtItsFixedPoint(const std::string& name) {
  const Problem problem(Shape::kSameCurvature);
  constexpr double kRate = 0.3, kSelf = 0.6;
  DenseFold fold(Federation(name, {{"self_weight", kSelf}}), kStart, kSites);
  Converged(fold, 200, [&](DenseFold& f, std::size_t i) {
    const Vector base = f.ModelOf(SiteNumber(i));
    return DenseUpdate{.site = SiteNumber(i),
                       .values = problem.Descend(i, base, 1, kRate),
                       .weight = problem.weights[i],
                       .base = base};
  });
  for (std::size_t k = 0; k < kDim; ++k) {
    Matrix left(kSites, Vector(kSites));
    Vector right(kSites);
    for (std::size_t i = 0; i < kSites; ++i)
      for (std::size_t j = 0; j < kSites; ++j) {
        const double w = (1 - kSelf) * problem.p[j] + (i == j ? kSelf : 0);
        left[i][j] = (i == j) - (1 - kRate) * w;
        right[i] += kRate * w * problem.b[j][k];
      }
    const Vector expected = Solve(left, right);
    for (std::size_t i = 0; i < kSites; ++i) EXPECT_NEAR(fold.ModelOf(SiteNumber(i))[k], expected[i], 1e-5);
  }
}

// At the fixed point sum p_i clip(b_i - x) = 0: Huber's estimate of location.
void ClippingFindsHubersCentre(const std::string& name) {
  const Problem problem(Shape::kSameCurvature);
  constexpr double kRate = 0.3, kBound = 0.3;
  const Vector found = OneStepRounds(problem, Federation(name, {{"bound", kBound}}), 600, kRate);
  Vector sum(kDim);
  int clipped = 0;
  for (std::size_t i = 0; i < kSites; ++i) {
    const Vector d = Combination({kRate, -kRate}, {problem.b[i], found});
    const double norm = Distance(d, Vector(kDim));
    clipped += norm > kBound;
    sum = Combination({1, problem.p[i] * std::min(1.0, kBound / norm)}, {sum, d});
  }
  EXPECT_LE(Distance(sum, Vector(kDim)), 1e-5);
  EXPECT_GT(clipped, 0);
}

TEST(Convergence, EveryStrategyFindsWhatItsPaperSays) {
  const std::map<std::string, Case> cases = {
      {"fedavg",
       [](const std::string& name) {
         ReachesTheOptimum(name, {}, 300, 1e-5);
         StandsAtTheDriftedPoint(name, 0);
       }},
      {"fedavgm",
       [](const std::string& name) {
         ReachesTheOptimum(name, {{"momentum", 0.8}}, 300, 1e-5);
       }},
      {"fedprox", [](const std::string& name) { StandsAtTheDriftedPoint(name, 0.5); }},
      // A constant step of 0.01 in every coordinate keeps them within a few steps of the optimum.
      {"fedadam", [](const std::string& name) { ReachesTheOptimum(name, {}, 4000, 0.02); }},
      {"fedyogi", [](const std::string& name) { ReachesTheOptimum(name, {}, 4000, 0.02); }},
      {"fedadagrad",
       [](const std::string& name) {
         ReachesTheOptimum(name, {{"server_learning_rate", 0.3}}, 4000, 1e-3);
       }},
      {"scaffold", ScaffoldReachesTheOptimumInSpiteOfLocalSteps},
      {"fednova", FedNovaIsConsistentWhereFedAvgIsNot},
      {"feddyn", FedDynReachesTheOptimumInSpiteOfLocalSteps},
      {"qfedavg", QFedAvgMinimisesTheFairObjective},
      {"fedbuff", [](const std::string& name) { ReachesTheOptimum(name, {}, 500, 1e-5); }},
      {"median", [](const std::string& name) { FindsItsOwnCentre(name, {}); }},
      {"trimmed_mean", [](const std::string& name) { FindsItsOwnCentre(name, {}); }},
      {"krum", [](const std::string& name) { FindsItsOwnCentre(name, {}); }},
      {"multi_krum",
       [](const std::string& name) {
         FindsItsOwnCentre(name, {{"byzantine", 2}});
       }},
      {"bulyan", [](const std::string& name) { FindsItsOwnCentre(name, {}); }},
      {"geometric_median", [](const std::string& name) { FindsItsOwnCentre(name, {}); }},
      {"norm_clipping", ClippingFindsHubersCentre},
      {"ditto", [](const std::string& name) { StandsAtTheDriftedPoint(name, 0); }},  // its global model is FedAvg's
      {"clustered", ClusteredFindsTheGroups},
      {"mixing", MixingStandsAtItsFixedPoint},
  };
  for (const wire::StrategySpec& spec : wire::Strategies()) {
    SCOPED_TRACE(spec.name);
    const auto found = cases.find(std::string(spec.name));
    ASSERT_NE(found, cases.end()) << spec.name << " is in the catalogue and nobody says where it converges";
    found->second(found->first);
  }
}

}  // namespace
}  // namespace consilium::coordinator
