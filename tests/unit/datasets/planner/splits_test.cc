// Expected numbers: scikit-learn 1.2.1 and NumPy 1.24, and the plans that nnU-Net published.
#include "datasets/planner/splits.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

namespace consilium::datasets {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Folds = std::vector<std::vector<std::int64_t>>;

std::vector<std::string> Ids(int n) {
  std::vector<std::string> ids;
  for (int i = 0; i < n; ++i) ids.push_back(Concat("case_", i / 100, i / 10 % 10, i % 10));
  return ids;
}

TEST(SplitsTest, FoldsEqualScikitLearns) {
  EXPECT_EQ(KFoldValidation(10, 5, 12345), (Folds{{0, 7}, {3, 9}, {4, 6}, {1, 8}, {2, 5}}));
  EXPECT_EQ(KFoldValidation(5, 5, 12345), (Folds{{0}, {4}, {3}, {1}, {2}}));
  EXPECT_EQ(KFoldValidation(11, 5, 12345), (Folds{{0, 3, 7}, {6, 10}, {8, 9}, {1, 4}, {2, 5}}));
  EXPECT_EQ(KFoldValidation(13, 5, 12345), (Folds{{0, 7, 9}, {3, 6, 10}, {8, 11, 12}, {1, 4}, {2, 5}}));
}

TEST(SplitsTest, FoldsOfTwoHundredCasesEqualScikitLearns) {
  std::vector<std::int64_t> checksums;  // sum of (position + 1) * index
  for (const auto& fold : KFoldValidation(200, 5, 12345)) {
    checksums.push_back(0);
    for (std::size_t i = 0; i < fold.size(); ++i) checksums.back() += static_cast<std::int64_t>(i + 1) * fold[i];
  }
  // Positions within KFold's ascending test indices.
  EXPECT_THAT(checksums, ElementsAre(121390, 104322, 98354, 103322, 110410));
}

TEST(SplitsTest, EveryCaseIsValidatedOnceAndNeverTrainedOnInItsFold) {
  for (const int n : {5, 7, 23}) {
    const StatusOr<std::vector<Split>> splits = MakeSplits(Ids(n));
    ASSERT_TRUE(splits.ok()) << splits.status();
    std::multiset<std::string> validated;
    for (const Split& split : *splits) {
      validated.insert(split.validation.begin(), split.validation.end());
      std::vector<std::string> both = split.train;
      both.insert(both.end(), split.validation.begin(), split.validation.end());
      std::sort(both.begin(), both.end());
      EXPECT_EQ(both, Ids(n));
    }
    const std::vector<std::string> ids = Ids(n);
    EXPECT_EQ(validated, std::multiset<std::string>(ids.begin(), ids.end()));
  }
}

TEST(SplitsTest, TheOrderInWhichCasesAreGivenDoesNotMatter) {
  std::vector<std::string> reversed = Ids(12);
  std::reverse(reversed.begin(), reversed.end());
  EXPECT_EQ(*SplitFor(reversed, 3), *SplitFor(Ids(12), 3));
}

TEST(SplitsTest, FoldAllTrainsAndValidatesOnEverything) {
  const StatusOr<Split> split = SplitFor(Ids(3), kAllCases);
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_EQ(split->train, Ids(3));
  EXPECT_EQ(split->validation, Ids(3));
}

TEST(SplitsTest, AFoldBeyondTheFifthIsNumPysRandomEightyToTwenty) {
  EXPECT_THAT(SplitFor(Ids(10), 5)->validation, ElementsAre("case_001", "case_002"));
  EXPECT_THAT(SplitFor(Ids(11), 7)->validation, ElementsAre("case_003", "case_005", "case_009"));
  EXPECT_EQ(SplitFor(Ids(11), 7)->train.size(), 8U);
}

TEST(SplitsTest, TooFewCasesTwinsAndUnknownFoldsAreRefusedWithTheMend) {
  EXPECT_THAT(SplitFor(Ids(4), 0).status().message(), HasSubstr("at least 5 cases, there are 4"));
  EXPECT_THAT(SplitFor({"a", "b", "a", "c", "d"}, 0).status().message(), HasSubstr("'a' is listed twice"));
  EXPECT_THAT(SplitFor({}, kAllCases).status().message(), HasSubstr("no cases"));
  EXPECT_THAT(SplitFor(Ids(10), -2).status().message(), HasSubstr("fold -2 does not exist"));
  EXPECT_EQ(SplitFor(Ids(4), 0).code(), StatusCode::kInvalidArgument);
}

TEST(SplitsTest, JsonRoundTripsAndHasNnUNetsKeys) {
  const std::vector<Split> splits = *MakeSplits(Ids(6));
  const Json json = SplitsToJson(splits);
  EXPECT_EQ(json[0]["val"].size(), 2U);
  EXPECT_EQ(*SplitsFromJson(*ParseJson(json.dump(), "splits_final.json"), "splits_final.json"), splits);
}

TEST(SplitsTest, MalformedJsonIsRefusedWithTheKey) {
  for (const char* text :
       {"{}", "[]", "[3]", R"([{"train": []}])", R"([{"train": [1], "val": []}])", R"([{"train": "x", "val": []}])"}) {
    const StatusOr<std::vector<Split>> splits = SplitsFromJson(*ParseJson(text, "s.json"), "s.json");
    ASSERT_FALSE(splits.ok()) << text;
    EXPECT_EQ(splits.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(splits.status().message(), HasSubstr("s.json"));
  }
}

}  // namespace
}  // namespace consilium::datasets
