#include "datasets/planner/splits.h"

#include <algorithm>
#include <numeric>

#include "comm/base/rng.h"

namespace consilium::datasets {
namespace {

// NumPy's RandomState(seed).permutation(n): Fisher-Yates from the top, masked rejection for each index.
std::vector<std::int64_t> Permutation(std::int64_t n, std::uint32_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  Mt19937 random(seed);
  for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[random.UpTo(static_cast<std::uint32_t>(i))]);
  return order;
}

// Ascending `validation` names the validation ids; all others train.
Split Divide(const std::vector<std::string>& ids, const std::vector<std::int64_t>& validation) {
  Split split;
  std::size_t next = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool is_validation = next < validation.size() && validation[next] == static_cast<std::int64_t>(i);
    if (is_validation) ++next;
    (is_validation ? split.validation : split.train).push_back(ids[i]);
  }
  return split;
}

Status SortUnique(std::vector<std::string>* ids) {
  std::sort(ids->begin(), ids->end());
  const auto twice = std::adjacent_find(ids->begin(), ids->end());
  if (twice != ids->end()) return InvalidArgument("case '", *twice, "' is listed twice");
  if (ids->empty()) return InvalidArgument("no cases to split into folds");
  return Status();
}

StatusOr<std::vector<std::string>> IdsFromJson(const Json& split, const char* key, const std::string& where) {
  if (!split.is_object() || !split.contains(key) || !split[key].is_array())
    return InvalidArgument(where, ": every fold must be an object with lists \"train\" and \"val\"; \"", key,
                           "\" is missing");
  std::vector<std::string> ids;
  for (const Json& id : split[key]) {
    if (!id.is_string())
      return InvalidArgument(where, ": \"", key, "\" holds ", id.dump(), ", expected a case id in quotes");
    ids.push_back(id.get<std::string>());
  }
  return ids;
}

}  // namespace

std::vector<std::vector<std::int64_t>> KFoldValidation(std::int64_t n, int folds, std::uint32_t seed) {
  CONSILIUM_CHECK(folds >= 2 && n >= folds && n <= UINT32_MAX, n, " cases in ", folds, " folds");
  const std::vector<std::int64_t> order = Permutation(n, seed);
  std::vector<std::vector<std::int64_t>> result;
  auto begin = order.begin();
  for (int fold = 0; fold < folds; ++fold) {
    const auto end = begin + n / folds + (fold < n % folds ? 1 : 0);
    result.emplace_back(begin, end);
    std::sort(result.back().begin(), result.back().end());
    begin = end;
  }
  return result;
}

StatusOr<std::vector<Split>> MakeSplits(std::vector<std::string> ids) {
  RETURN_IF_ERROR(SortUnique(&ids));
  const auto n = static_cast<std::int64_t>(ids.size());
  if (n < kFolds)
    return InvalidArgument(kFolds, " folds need at least ", kFolds, " cases, there ", n == 1 ? "is " : "are ", n,
                           "; add cases, or use the fold \"all\" (fold: -1)");
  std::vector<Split> splits;
  for (const auto& validation : KFoldValidation(n, kFolds, kSplitSeed)) splits.push_back(Divide(ids, validation));
  return splits;
}

StatusOr<Split> SplitFor(std::vector<std::string> ids, std::int64_t fold) {
  if (fold < kAllCases)
    return InvalidArgument("fold ", fold, " does not exist; expected 0 to ", kFolds - 1, ", or -1 for all");
  if (fold >= 0 && fold < kFolds) {
    ASSIGN_OR_RETURN(const std::vector<Split> splits, MakeSplits(std::move(ids)));
    return splits[static_cast<std::size_t>(fold)];
  }
  RETURN_IF_ERROR(SortUnique(&ids));
  if (fold == kAllCases) return Split{.train = ids, .validation = ids};

  const auto n = static_cast<std::int64_t>(ids.size());
  if (n < 2) return InvalidArgument("an 80:20 split needs at least 2 cases, there is 1");
  // RandomState.choice without replacement is the head of a permutation; Python's int(n * 0.8) truncates the double
  // product.
  std::vector<std::int64_t> order = Permutation(n, kSplitSeed + static_cast<std::uint32_t>(fold));
  const auto num_train = static_cast<std::int64_t>(static_cast<double>(n) * 0.8);
  order.erase(order.begin(), order.begin() + num_train);
  std::sort(order.begin(), order.end());
  return Divide(ids, order);
}

Json SplitsToJson(std::span<const Split> splits) {
  Json json = Json::array();
  for (const Split& split : splits) json.push_back({{"train", split.train}, {"val", split.validation}});
  return json;
}

StatusOr<std::vector<Split>> SplitsFromJson(const Json& json, const std::string& where) {
  if (!json.is_array() || json.empty())
    return InvalidArgument(where, ": expected a list of folds, [{\"train\": [...], \"val\": [...]}, ...]");
  std::vector<Split> splits;
  for (const Json& entry : json) {
    Split split;
    ASSIGN_OR_RETURN(split.train, IdsFromJson(entry, "train", where));
    ASSIGN_OR_RETURN(split.validation, IdsFromJson(entry, "val", where));
    splits.push_back(std::move(split));
  }
  return splits;
}

}  // namespace consilium::datasets
