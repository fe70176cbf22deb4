// The catalogue of federated strategies: what each is called, who published it, which numbers it takes, what travels.
//
// One table feeds every part: the job file (names, parameters, ranges), the site (which local method, what to upload),
// the coordinator (coordinator/strategies/strategy.h has the server's side of each).
//
// Notation in formulas, here and at the server: x the global model, y_i what site i trained from it, d_i = y_i - x its
// update, p_i its share (weight_i / sum of weights of this round's contributors), n contributors of N sites.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace consilium::wire {

// What a site uploads for the shared tensors (update_format.h).
enum class UpdateKind {
  kWeights,  // y_i: bit for bit what was trained, so one site equals centralised training
  kDelta,    // d_i as f32
};

// What a site minimises (trainer/local).
enum class LocalMethod {
  kPlain,     // its own loss
  kProximal,  // + mu/2 |y - x|^2
  kScaffold,  // gradients corrected by c - c_i
  kFedDyn,    // - <g_i, y> + alpha/2 |y - x|^2
  kDitto,     // its own loss for y_i; a second, personal model v_i with + lambda/2 |v - x|^2 stays at the site
};

// How the sites' weights enter.
enum class Weighting {
  kFree,   // as the job says: examples or equal
  kEqual,  // one site one voice: a robust rule does not trust the counts that sites announce
};

enum class NumberKind { kReal, kInteger };

struct StrategyParameter {
  std::string_view name;
  double value = 0;  // when the job does not say
  double min = 0;
  double max = 0;
  std::string_view meaning;  // one line, with units
  NumberKind kind = NumberKind::kReal;
};

struct StrategySpec {
  std::string_view name;
  std::string_view summary;  // one sentence
  std::string_view paper;
  std::span<const StrategyParameter> parameters;
  UpdateKind update = UpdateKind::kWeights;
  LocalMethod local = LocalMethod::kPlain;
  Weighting weighting = Weighting::kFree;
  // Auxiliary tensors, one per shared tensor: uploaded as "aux.<what>.<tensor>"; "" none.
  std::string_view aux_up;
  // What Task::auxiliary holds, one tensor per shared tensor under the tensor's own name; "" none.
  std::string_view aux_down;
  // A metric that the site must report with its update, besides "loss", "seconds", "steps"; "" none.
  std::string_view metric;
  // Sites may get models of their own (FoldDone::site_models).
  bool several_models = false;
};

// In the order in which the guide lists them.
std::span<const StrategySpec> Strategies();
// nullptr when there is no such name.
const StrategySpec* FindStrategy(std::string_view name);
std::vector<std::string> StrategyNames();

using StrategyParameters = std::map<std::string, double>;
// Every parameter with its default.
StrategyParameters DefaultParameters(const StrategySpec& spec);

// The fewest updates that a round of this strategy can be made of, and why ("4f + 3 with byzantine: 1").
struct UpdatesNeeded {
  std::size_t count = 1;
  std::string why;
};
UpdatesNeeded UpdatesNeededBy(const StrategySpec& spec, const StrategyParameters& parameters);

}  // namespace consilium::wire
