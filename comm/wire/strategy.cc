#include "comm/wire/strategy.h"

#include <algorithm>
#include <cmath>

#include "comm/base/status.h"

namespace consilium::wire {
namespace {

using Parameter = StrategyParameter;

// A learning rate or factor of 10^6 has lost its meaning; a bound on norms may be any that f64 squares without
// overflow.
constexpr double kFactorMax = 1e6;
constexpr double kNormMax = 1e150;
constexpr double kSitesMax = 100000;

constexpr Parameter kServerRate{.name = "server_learning_rate",
                                .value = 1.0,
                                .min = 1e-9,
                                .max = kFactorMax,
                                .meaning = "factor on the step that the server takes"};
constexpr Parameter kByzantine{.name = "byzantine",
                               .value = 1,
                               .min = 0,
                               .max = kSitesMax,
                               .meaning = "f: how many sites may send anything at all",
                               .kind = NumberKind::kInteger};

constexpr Parameter kFedAvgM[] = {
    kServerRate,
    {.name = "momentum", .value = 0.9, .min = 0, .max = 0.9999, .meaning = "beta: what is kept of the last step"}};
constexpr Parameter kFedProx[] = {
    {.name = "mu", .value = 0.01, .min = 0, .max = kFactorMax, .meaning = "pull towards the global model; 0: fedavg"}};

// Reddi et al. search eta over powers of ten around 10^-2 and tau over 10^-5 to 10^-1; 10^-3 is theirs for most tasks.
constexpr Parameter kAdaptiveRate{.name = "server_learning_rate",
                                  .value = 0.01,
                                  .min = 1e-9,
                                  .max = kFactorMax,
                                  .meaning = "eta: size of the step that the server takes in each coordinate"};
constexpr Parameter kTau{.name = "tau",
                         .value = 1e-3,
                         .min = 1e-12,
                         .max = kFactorMax,
                         .meaning = "how adaptive: updates much smaller than tau are not scaled up"};
constexpr Parameter kBeta2{
    .name = "beta2", .value = 0.99, .min = 0, .max = 0.999999, .meaning = "what is kept of the mean squared update"};
constexpr Parameter kAdam[] = {
    kAdaptiveRate,
    {.name = "beta1", .value = 0.9, .min = 0, .max = 0.9999, .meaning = "what is kept of the mean update"},
    kBeta2,
    kTau};
constexpr Parameter kAdagrad[] = {
    kAdaptiveRate,
    {.name = "beta1", .value = 0, .min = 0, .max = 0.9999, .meaning = "what is kept of the mean update"},
    kTau};

constexpr Parameter kJustServerRate[] = {kServerRate};
constexpr Parameter kFedDyn[] = {
    {.name = "alpha", .value = 0.01, .min = 1e-9, .max = kFactorMax, .meaning = "strength of the dynamic regulariser"}};
constexpr Parameter kQFedAvg[] = {
    {.name = "q", .value = 0.2, .min = 0, .max = 20, .meaning = "fairness: 0 is fedavg, more favours high losses"},
    {.name = "lipschitz",
     .value = 0,
     .min = 0,
     .max = 1e12,
     .meaning = "L: estimate of the loss's curvature; 0: 1 / train.learning_rate, as in the paper"}};
constexpr Parameter kFedBuff[] = {kServerRate,
                                  {.name = "buffer",
                                   .value = 0,
                                   .min = 0,
                                   .max = kSitesMax,
                                   .meaning = "K: updates that make a round; 0: federation.sites.min",
                                   .kind = NumberKind::kInteger},
                                  {.name = "staleness_exponent",
                                   .value = 0.5,
                                   .min = 0,
                                   .max = 10,
                                   .meaning = "a: an update s rounds old counts (1 + s)^-a"},
                                  {.name = "staleness_max",
                                   .value = 20,
                                   .min = 0,
                                   .max = 1e6,
                                   .meaning = "updates older than this many rounds do not count",
                                   .kind = NumberKind::kInteger}};

constexpr Parameter kTrimmedMean[] = {
    {.name = "trim",
     .value = 0.2,
     .min = 0,
     .max = 0.4999,
     .meaning = "beta: share of sites left out at each end of every coordinate (rounded up)"}};
constexpr Parameter kJustByzantine[] = {kByzantine};
constexpr Parameter kMultiKrum[] = {kByzantine,
                                    {.name = "select",
                                     .value = 0,
                                     .min = 0,
                                     .max = kSitesMax,
                                     .meaning = "m: how many updates are averaged; 0: all but byzantine",
                                     .kind = NumberKind::kInteger}};
constexpr Parameter kGeometricMedian[] = {{.name = "smoothing",
                                           .value = 1e-6,
                                           .min = 1e-12,
                                           .max = 1,
                                           .meaning = "nu: distances below this part of the median one count as it"},
                                          {.name = "iterations",
                                           .value = 100,
                                           .min = 1,
                                           .max = 100000,
                                           .meaning = "most Weiszfeld steps; it stops earlier when nothing moves",
                                           .kind = NumberKind::kInteger}};
constexpr Parameter kNormClipping[] = {{.name = "bound",
                                        .value = 0,
                                        .min = 0,
                                        .max = kNormMax,
                                        .meaning = "largest L2 norm of an update; 0: median_multiple decides"},
                                       {.name = "median_multiple",
                                        .value = 1,
                                        .min = 1e-6,
                                        .max = kNormMax,
                                        .meaning = "largest norm as a multiple of the round's median norm"}};

constexpr Parameter kDitto[] = {{.name = "lambda",
                                 .value = 0.1,
                                 .min = 0,
                                 .max = kFactorMax,
                                 .meaning = "pull of the personal model towards the global one; 0: local training"}};
constexpr Parameter kClustered[] = {
    {.name = "stationary",
     .value = 0.4,
     .min = 0,
     .max = 1,
     .meaning = "a cluster may split when its mean update is shorter than this part of its longest one"},
    {.name = "spread",
     .value = 0.1,
     .min = 0,
     .max = 1,
     .meaning = "and while its longest update is at least this part of the longest in the first round"},
    {.name = "gap",
     .value = 0.5,
     .min = 0,
     .max = 1,
     .meaning = "it splits when sqrt((1 - cos) / 2) between the two parts is at least this"},
    {.name = "first_rounds",
     .value = 1,
     .min = 0,
     .max = 1e9,
     .meaning = "rounds before the first split",
     .kind = NumberKind::kInteger}};
constexpr Parameter kMixing[] = {
    {.name = "self_weight", .value = 0.5, .min = 0, .max = 1, .meaning = "a site's own model in its mix; 0: fedavg"},
    {.name = "similarity",
     .value = 0,
     .min = 0,
     .max = 1e4,
     .meaning = "the others' shares are multiplied by exp(similarity * cos of the updates); 0: shares alone"}};

constexpr StrategySpec kStrategies[] = {
    {.name = "fedavg", .summary = "the weighted mean of the sites' weights", .paper = "McMahan et al., AISTATS 2017"},
    {.name = "fedavgm",
     .summary = "averaging with momentum at the server",
     .paper = "Hsu, Qi, Brown 2019",
     .parameters = kFedAvgM,
     .update = UpdateKind::kDelta},
    {.name = "fedprox",
     .summary = "averaging; each site is held near the global model while it trains",
     .paper = "Li et al., MLSys 2020",
     .parameters = kFedProx,
     .local = LocalMethod::kProximal},
    {.name = "fedadam",
     .summary = "Adam at the server, with the mean update in place of a gradient",
     .paper = "Reddi et al., ICLR 2021",
     .parameters = kAdam,
     .update = UpdateKind::kDelta},
    {.name = "fedyogi",
     .summary = "Yogi at the server, with the mean update in place of a gradient",
     .paper = "Reddi et al., ICLR 2021",
     .parameters = kAdam,
     .update = UpdateKind::kDelta},
    {.name = "fedadagrad",
     .summary = "Adagrad at the server, with the mean update in place of a gradient",
     .paper = "Reddi et al., ICLR 2021",
     .parameters = kAdagrad,
     .update = UpdateKind::kDelta},
    {.name = "scaffold",
     .summary = "control variates take the sites' drift out of their steps",
     .paper = "Karimireddy et al., ICML 2020",
     .parameters = kJustServerRate,
     .update = UpdateKind::kDelta,
     .local = LocalMethod::kScaffold,
     .aux_up = "control_delta",
     .aux_down = "control"},
    {.name = "fednova",
     .summary = "updates are divided by the sites' effective numbers of steps, so that busy sites do not pull harder",
     .paper = "Wang et al., NeurIPS 2020",
     .parameters = kJustServerRate,
     .update = UpdateKind::kDelta,
     .metric = "tau"},
    {.name = "feddyn",
     .summary = "a dynamic regulariser makes the sites' optima agree with the global one",
     .paper = "Acar et al., ICLR 2021",
     .parameters = kFedDyn,
     .update = UpdateKind::kDelta,
     .local = LocalMethod::kFedDyn},
    {.name = "qfedavg",
     .summary = "sites with a high loss count more, so that accuracy is spread evenly",
     .paper = "Li et al., ICLR 2020",
     .parameters = kQFedAvg,
     .update = UpdateKind::kDelta,
     .metric = "loss_before"},
    {.name = "fedbuff",
     .summary = "asynchronous: a round is the next K updates, the older the less they count",
     .paper = "Nguyen et al., AISTATS 2022",
     .parameters = kFedBuff,
     .update = UpdateKind::kDelta},
    {.name = "median",
     .summary = "the median of every coordinate",
     .paper = "Yin et al., ICML 2018",
     .weighting = Weighting::kEqual},
    {.name = "trimmed_mean",
     .summary = "the mean of every coordinate without its largest and smallest values",
     .paper = "Yin et al., ICML 2018",
     .parameters = kTrimmedMean,
     .weighting = Weighting::kEqual},
    {.name = "krum",
     .summary = "the one update that lies nearest to its neighbours",
     .paper = "Blanchard et al., NeurIPS 2017",
     .parameters = kJustByzantine,
     .weighting = Weighting::kEqual},
    {.name = "multi_krum",
     .summary = "the mean of the updates that lie nearest to their neighbours",
     .paper = "Blanchard et al., NeurIPS 2017",
     .parameters = kMultiKrum,
     .weighting = Weighting::kEqual},
    {.name = "bulyan",
     .summary = "Krum chooses n - 2f updates, then every coordinate is the mean of those nearest to their median",
     .paper = "El Mhamdi et al., ICML 2018",
     .parameters = kJustByzantine,
     .weighting = Weighting::kEqual},
    {.name = "geometric_median",
     .summary = "the point with the least weighted distance to all updates (RFA)",
     .paper = "Pillutla, Kakade, Harchaoui, IEEE TSP 2022",
     .parameters = kGeometricMedian,
     .update = UpdateKind::kDelta},
    {.name = "norm_clipping",
     .summary = "updates longer than a bound are shortened to it before they are averaged",
     .paper = "Sun et al. 2019 (Can you really backdoor federated learning?)",
     .parameters = kNormClipping,
     .update = UpdateKind::kDelta},
    {.name = "ditto",
     .summary = "averaging, and a personal model at each site that is held near the global one",
     .paper = "Li et al., ICML 2021",
     .parameters = kDitto,
     .local = LocalMethod::kDitto},
    {.name = "clustered",
     .summary = "one model per group of sites; groups are given, or found by the updates' directions",
     .paper = "Sattler, Mueller, Samek, IEEE TNNLS 2021",
     .parameters = kClustered,
     .several_models = true},
    {.name = "mixing",
     .summary = "one model per site, a mix of all; the matrix is given, or made from the updates' similarity",
     .paper = "Huang et al., AAAI 2021 (HeurFedAMP); Lian et al., NeurIPS 2017 (mixing matrices)",
     .parameters = kMixing,
     .several_models = true},
};

}  // namespace

std::span<const StrategySpec> Strategies() { return kStrategies; }

const StrategySpec* FindStrategy(std::string_view name) {
  const auto* found = std::ranges::find(kStrategies, name, &StrategySpec::name);
  return found == std::end(kStrategies) ? nullptr : found;
}

std::vector<std::string> StrategyNames() {
  std::vector<std::string> names;
  for (const StrategySpec& spec : kStrategies) names.emplace_back(spec.name);
  return names;
}

StrategyParameters DefaultParameters(const StrategySpec& spec) {
  StrategyParameters parameters;
  for (const StrategyParameter& parameter : spec.parameters) parameters.emplace(parameter.name, parameter.value);
  return parameters;
}

UpdatesNeeded UpdatesNeededBy(const StrategySpec& spec, const StrategyParameters& parameters) {
  const auto f = parameters.find("byzantine");
  if (f == parameters.end()) return {};
  const auto byzantine = static_cast<std::size_t>(f->second);
  const std::string with = Concat(" with byzantine: ", byzantine);
  if (spec.name == "bulyan") return {4 * byzantine + 3, "4f + 3" + with};
  // Fewer honest sites than dishonest ones cannot be told apart by anybody.  Krum's theorem asks for 2f + 3.
  const UpdatesNeeded majority{2 * byzantine + 1, "2f + 1" + with};
  const auto select = parameters.find("select");
  if (select == parameters.end() || static_cast<std::size_t>(select->second) <= majority.count) return majority;
  return {static_cast<std::size_t>(select->second), "the number to select"};
}

}  // namespace consilium::wire
