// One model per group of sites.  The groups are given by the job, or found as in Sattler, Mueller, Samek, "Clustered
// federated learning: model-agnostic distributed multitask optimization under privacy constraints", IEEE Transactions
// on Neural Networks and Learning Systems 32, 2021, Algorithm 2: all sites start in one group; a group whose mean
// update has become short while a member's is still long (its sites pull apart) is cut in two where the largest cosine
// across the cut is smallest, if that cut is wide enough.
//
// The paper's thresholds are lengths.  Here the mean is measured by the group's longest update ("stationary"), and that
// by the longest of the first round ("spread"; the paper advises a tenth), so that they mean the same for every model.
// A group's new model is the weighted mean of its contributors' weights.  The global model, for evaluation and for
// sites that come later, is the weighted mean of all.  Kept between rounds: the groups, the number of rounds and the
// first round's longest update.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "coordinator/strategies/families.h"

namespace consilium::coordinator {
namespace {

using Group = std::vector<SiteName>;  // in name order

// Cuts `members` (indices of updates) so that the largest cosine across the cut is as small as can be: the maximum
// spanning tree by cosine without its smallest edge (Kruskal: joining the most similar until two parts are left).
// Returns that cosine, and for each member whether it is in the second part.
struct Cut {
  double cosine = 1;
  std::vector<bool> second;
};
Cut BestCut(const GramMatrix& gram, const std::vector<std::size_t>& members) {
  struct Edge {
    double cosine;
    std::size_t a, b;
  };
  std::vector<Edge> edges;
  for (std::size_t a = 0; a < members.size(); ++a)
    for (std::size_t b = a + 1; b < members.size(); ++b) edges.push_back({gram.Cosine(members[a], members[b]), a, b});
  std::ranges::stable_sort(edges, [](const Edge& left, const Edge& right) { return left.cosine > right.cosine; });
  std::vector<std::size_t> part(members.size());
  std::iota(part.begin(), part.end(), 0);
  std::size_t parts = members.size();
  Cut cut;
  for (const Edge& edge : edges) {
    const std::size_t a = part[edge.a], b = part[edge.b];
    if (a == b) continue;
    if (parts == 2) {
      cut.cosine = edge.cosine;
      break;
    }
    std::ranges::replace(part, b, a);
    --parts;
  }
  for (const std::size_t of : part) cut.second.push_back(of != part.front());
  return cut;
}

class Clustered final : public Strategy {
 public:
  explicit Clustered(const wire::FederationSpec& federation) : Strategy(federation) {}
  Geometry geometry() const override { return Given() ? Geometry::kNone : Geometry::kInnerProducts; }

  StatusOr<FoldPlan> Plan(const PlanInput& input) const override {
    FoldPlan plan = WeightedSum(input, SharesOf(input));
    ASSIGN_OR_RETURN(std::vector<Group> groups, Given() ? GivenGroups(input) : RememberedGroups(input.memory, input));
    if (!Given()) {
      const Json rounds = Remembered(input.memory, "rounds"), first_longest = Remembered(input.memory, "longest");
      const double past = rounds.is_number() ? rounds.get<double>() : 0;
      double longest = 0;
      for (std::size_t i = 0; i < input.updates.size(); ++i) longest = std::max(longest, input.gram.Norm(i));
      if (first_longest.is_number()) longest = first_longest.get<double>();
      if (past >= Parameter("first_rounds")) groups = Split(input, groups, Parameter("spread") * longest);
      plan.memory = {{"rounds", past + 1}, {"longest", longest}, {"groups", Json::array()}};
      for (const Group& group : groups) {
        Json names = Json::array();
        for (const SiteName& site : group) names.push_back(site.value());
        plan.memory["groups"].push_back(names);
      }
    }
    std::string text;
    for (const Group& group : groups) {
      for (std::size_t i = 0; i < group.size(); ++i) text += (i ? "," : text.empty() ? "" : "|") + group[i].value();
      const std::vector<std::size_t> members = Contributors(input, group);
      if (members.empty()) continue;  // its sites keep their model
      std::vector<double> weights;
      for (const std::size_t i : members) weights.push_back(input.updates[i].weight);
      const std::vector<double> shares = coordinator::SharesOf(weights);
      Mix mix{.sites = group, .coefficients = std::vector<double>(input.updates.size())};
      for (std::size_t k = 0; k < members.size(); ++k) mix.coefficients[members[k]] = shares[k];
      plan.mixes.push_back(std::move(mix));
    }
    plan.notes["clusters"] = groups.size();
    plan.notes["groups"] = text;
    return plan;
  }

 private:
  bool Given() const { return !federation().strategy_groups.empty(); }

  static Json Remembered(const Json& memory, const char* key) {
    return memory.is_object() && memory.contains(key) ? memory[key] : Json();
  }

  static std::vector<std::size_t> Contributors(const PlanInput& input, const Group& group) {
    std::vector<std::size_t> members;
    for (std::size_t i = 0; i < input.updates.size(); ++i)
      if (std::ranges::find(group, input.updates[i].site) != group.end()) members.push_back(i);
    return members;
  }

  // Sites that nobody put anywhere form a group of their own.
  static void AddTheRest(const PlanInput& input, std::vector<Group>* groups) {
    Group rest;
    for (const SiteName& site : input.sites)
      if (std::ranges::none_of(*groups, [&](const Group& g) { return std::ranges::find(g, site) != g.end(); }))
        rest.push_back(site);
    std::ranges::sort(rest);
    if (!rest.empty()) groups->push_back(std::move(rest));
  }

  StatusOr<std::vector<Group>> GivenGroups(const PlanInput& input) const {
    std::vector<Group> groups;
    for (const auto& [name, sites] : federation().strategy_groups) {
      Group& group = groups.emplace_back();
      for (const std::string& site : sites) group.emplace_back(site);
      std::ranges::sort(group);
    }
    AddTheRest(input, &groups);
    return groups;
  }

  static StatusOr<std::vector<Group>> RememberedGroups(const Json& memory, const PlanInput& input) {
    std::vector<Group> groups;
    for (const Json& names : Remembered(memory, "groups")) {
      Group& group = groups.emplace_back();
      for (const Json& name : names) {
        if (!name.is_string()) return DataLoss("the kept groups of sites are damaged");
        group.emplace_back(name.get<std::string>());
      }
    }
    AddTheRest(input, &groups);
    return groups;
  }

  // Members that did not contribute stay with the larger part (of equal ones the first).
  std::vector<Group> Split(const PlanInput& input, const std::vector<Group>& groups, double long_enough) const {
    std::vector<Group> result;
    for (const Group& group : groups) {
      const std::vector<std::size_t> members = Contributors(input, group);
      if (!PullsApart(input, members, long_enough)) {
        result.push_back(group);
        continue;
      }
      const Cut cut = BestCut(input.gram, members);
      if (std::sqrt((1 - cut.cosine) / 2) < Parameter("gap")) {
        result.push_back(group);
        continue;
      }
      Group first, second;
      for (std::size_t k = 0; k < members.size(); ++k)
        (cut.second[k] ? second : first).push_back(input.updates[members[k]].site);
      Group& larger = second.size() > first.size() ? second : first;
      for (const SiteName& site : group)
        if (std::ranges::find(first, site) == first.end() && std::ranges::find(second, site) == second.end())
          larger.push_back(site);
      std::ranges::sort(larger);
      result.push_back(std::move(first));
      result.push_back(std::move(second));
    }
    return result;
  }

  bool PullsApart(const PlanInput& input, const std::vector<std::size_t>& members, double long_enough) const {
    if (members.size() < 2) return false;
    double total = 0, longest = 0;
    for (const std::size_t i : members) {
      total += input.updates[i].weight;
      longest = std::max(longest, input.gram.Norm(i));
    }
    std::vector<double> shares(input.updates.size());
    for (const std::size_t i : members) shares[i] = input.updates[i].weight / total;
    return longest > 0 && longest >= long_enough && input.gram.NormOf(shares) < Parameter("stationary") * longest;
  }
};

}  // namespace

std::unique_ptr<const Strategy> MakeClustered(const wire::FederationSpec& federation) {
  return std::make_unique<Clustered>(federation);
}

}  // namespace consilium::coordinator
