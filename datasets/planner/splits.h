// nnU-Net's cross-validation folds, number for number: scikit-learn's KFold(5, shuffle, random_state 12345) over the
// sorted case ids, so that results compare with published ones.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "comm/base/json.h"
#include "comm/base/status.h"

namespace consilium::datasets {

inline constexpr int kFolds = 5;
inline constexpr std::uint32_t kSplitSeed = 12345;
inline constexpr std::int64_t kAllCases = -1;  // the fold "all": training cases are also the validation cases

struct Split {
  std::vector<std::string> train;       // sorted
  std::vector<std::string> validation;  // sorted
  friend bool operator==(const Split&, const Split&) = default;
};

// The validation indices of each fold, ascending: for n = 10, {{0, 7}, {3, 9}, {4, 6}, {1, 8}, {2, 5}}.  Needs n >=
// folds.
std::vector<std::vector<std::int64_t>> KFoldValidation(std::int64_t n, int folds, std::uint32_t seed);

// kFolds splits.  Fewer ids than folds, or an id twice: kInvalidArgument.
StatusOr<std::vector<Split>> MakeSplits(std::vector<std::string> ids);

// Fold 0..4 of MakeSplits(), or kAllCases.  A fold of 5 or more is, as in nnU-Net, a random 80:20 split of its own,
// seeded kSplitSeed + fold.
StatusOr<Split> SplitFor(std::vector<std::string> ids, std::int64_t fold);

// splits_final.json: [{"train": [...], "val": [...]}, ...].  `where` names the file in errors.
Json SplitsToJson(std::span<const Split> splits);
StatusOr<std::vector<Split>> SplitsFromJson(const Json& json, const std::string& where);

}  // namespace consilium::datasets
