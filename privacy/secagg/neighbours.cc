#include "privacy/secagg/neighbours.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "privacy/secagg/permutation.h"

namespace consilium::secagg {
namespace {

double LogChoose(double n, double k) { return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1); }

// P[X = x] for X the marked among `draws` of `total`, of which `marked` are.
double Hypergeometric(std::size_t total, std::size_t marked, std::size_t draws, std::size_t x) {
  if (x > marked || x > draws || draws - x > total - marked) return 0;
  const auto d = [](std::size_t value) { return static_cast<double>(value); };
  return std::exp(LogChoose(d(marked), d(x)) + LogChoose(d(total - marked), d(draws - x)) -
                  LogChoose(d(total), d(draws)));
}

// The smallest t with P[X > t] <= bound.
std::size_t UpperTail(std::size_t total, std::size_t marked, std::size_t draws, double bound) {
  double above = 0;
  for (std::size_t t = draws; t > 0; --t) {
    above += Hypergeometric(total, marked, draws, t);
    if (above > bound) return t;
  }
  return 0;
}

// The largest t with P[X < t] <= bound.
std::size_t LowerTail(std::size_t total, std::size_t marked, std::size_t draws, double bound) {
  double below = 0;
  for (std::size_t t = 0; t <= draws; ++t) {
    below += Hypergeometric(total, marked, draws, t);  // P[X <= t] = P[X < t + 1]
    if (below > bound) return t;
  }
  return draws;
}

// The ring falls apart where two gaps of k/2 neighbours each are all bad: n (n-k-1) / 2 places, each with probability
// bad! (n-k)! / (n! (bad-k)!).
bool IsConnected(std::size_t sites, std::size_t degree, std::size_t bad, double bits) {
  if (degree > bad) return true;
  const auto n = static_cast<double>(sites), k = static_cast<double>(degree), b = static_cast<double>(bad);
  const double log_places = std::log(n * (n - k - 1) / 2);
  const double log_each = std::lgamma(b + 1) + std::lgamma(n - k + 1) - std::lgamma(n + 1) - std::lgamma(b - k + 1);
  return log_places + log_each < -(bits + 1) * std::log(2.0);
}

}  // namespace

StatusOr<GraphParameters> FindGraph(std::size_t sites, const GraphRates& rates) {
  const bool active = rates.adversary == Adversary::kActive;
  if (!(rates.corrupt >= 0 && rates.corrupt < 1 && rates.dropout >= 0 && rates.dropout < 1))
    return InvalidArgument("rates of ", rates.corrupt, " corrupt and ", rates.dropout,
                           " dropped; both are shares in [0, 1)");
  if (rates.corrupt + (active ? 2 : 1) * rates.dropout > 0.9)
    return InvalidArgument(
        "with ", rates.corrupt, " corrupt and ", rates.dropout, " dropped sites no graph is safe",
        active ? "; corrupt + 2 dropout must be at most 0.9" : "; corrupt + dropout must be at most 0.9");
  const auto n = static_cast<double>(sites);
  const auto corrupt = static_cast<std::size_t>(std::floor(rates.corrupt * n));
  const auto dropped = static_cast<std::size_t>(std::floor(rates.dropout * n));
  const auto survivors = static_cast<std::size_t>(std::ceil((1 - rates.dropout) * n));
  for (std::size_t degree = 2; degree < sites; degree += 2) {
    if (!IsConnected(sites, degree, corrupt + dropped, rates.security_bits)) continue;
    auto low = static_cast<double>(UpperTail(sites, corrupt, degree, std::exp2(-(rates.security_bits + 1)) / n));
    const auto high = static_cast<double>(LowerTail(sites, survivors, degree, std::exp2(-rates.correctness_bits) / n));
    if (active) low = std::ceil((low + static_cast<double>(degree) - 1.25) / 2);
    if (low < high) return GraphParameters{degree, std::max<std::size_t>(static_cast<std::size_t>(low) + 1, 2)};
  }
  return InvalidArgument("no graph on ", sites, " sites meets these rates; everybody with everybody may");
}

StatusOr<std::vector<std::vector<std::size_t>>> HararyGraph(std::size_t sites, std::size_t degree, const Digest& seed) {
  if (sites < 2 || degree == 0) return InvalidArgument("a graph of ", sites, " sites and degree ", degree);
  std::vector<std::vector<std::size_t>> neighbours(sites);
  if (degree + 1 >= sites) {
    for (std::size_t i = 0; i < sites; ++i)
      for (std::size_t j = 0; j < sites; ++j)
        if (i != j) neighbours[i].push_back(j);
    return neighbours;
  }
  if (degree % 2 != 0) return InvalidArgument("a degree of ", degree, "; the ring needs an even one");
  const std::vector<std::size_t> ring = RandomOrder(sites, seed);
  for (std::size_t place = 0; place < sites; ++place) {
    std::vector<std::size_t>& mine = neighbours[ring[place]];
    for (std::size_t step = 1; step <= degree / 2; ++step) {
      mine.push_back(ring[(place + step) % sites]);
      mine.push_back(ring[(place + sites - step) % sites]);
    }
    std::sort(mine.begin(), mine.end());
  }
  return neighbours;
}

}  // namespace consilium::secagg
