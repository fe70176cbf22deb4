#include "privacy/secagg/neighbours.h"

#include <gtest/gtest.h>

#include <set>

namespace consilium::secagg {
namespace {

struct Row {
  std::size_t sites;
  double corrupt, dropout;
  Adversary adversary;
  std::size_t degree, threshold;
};

void ExpectRow(const Row& row) {
  const StatusOr<GraphParameters> found =
      FindGraph(row.sites, {.corrupt = row.corrupt, .dropout = row.dropout, .adversary = row.adversary});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->degree, row.degree) << row.sites << " " << row.corrupt << " " << row.dropout;
  EXPECT_EQ(found->threshold, row.threshold) << row.sites << " " << row.corrupt << " " << row.dropout;
}

TEST(FindGraph, GivesThePublishedParameters) {
  constexpr Adversary kC = Adversary::kCurious, kA = Adversary::kActive;
  for (const Row& row : {Row{100, .05, .33, kC, 28, 6},
                         {1000, .05, .05, kC, 30, 17},
                         {1000, .05, .05, kA, 52, 37},
                         {100, .05, .05, kA, 16, 11},
                         {1000, .05, .33, kA, 398, 223},
                         {100, .3, .3, kA, 92, 62},
                         {1000, .33, .33, kC, 286, 150},
                         {10000, .05, .05, kA, 62, 44},
                         {10, .33, .33, kC, 8, 4}})
    ExpectRow(row);
}

TEST(FindGraph, GivesOurDefaultsAgainstALyingCoordinator) {
  constexpr Adversary kA = Adversary::kActive;
  for (const Row& row : {Row{100, .1, .1, kA, 32, 22},
                         {200, .1, .1, kA, 56, 39},
                         {300, .1, .1, kA, 66, 46},
                         {500, .1, .1, kA, 82, 57},
                         {1000, .1, .1, kA, 96, 67},
                         {100, .2, .2, kA, 62, 42},
                         {200, .2, .2, kA, 118, 80},
                         {500, .2, .2, kA, 220, 150},
                         {1000, .2, .2, kA, 302, 206},
                         {100, .33, .1, kA, 54, 44},
                         {200, .33, .1, kA, 98, 78},
                         {500, .33, .1, kA, 168, 132},
                         {1000, .33, .1, kA, 218, 171}})
    ExpectRow(row);
}

TEST(FindGraph, RefusesRatesThatNoGraphSurvives) {
  EXPECT_FALSE(FindGraph(100, {.corrupt = 0.5, .dropout = 0.3, .adversary = Adversary::kActive}).ok());
  EXPECT_FALSE(FindGraph(100, {.corrupt = 0.6, .dropout = 0.4, .adversary = Adversary::kCurious}).ok());
  EXPECT_FALSE(FindGraph(100, {.corrupt = -0.1, .dropout = 0.1}).ok());
}

bool IsConnected(const std::vector<std::vector<std::size_t>>& graph) {
  std::set<std::size_t> seen = {0};
  std::vector<std::size_t> next = {0};
  while (!next.empty()) {
    const std::size_t at = next.back();
    next.pop_back();
    for (const std::size_t other : graph[at])
      if (seen.insert(other).second) next.push_back(other);
  }
  return seen.size() == graph.size();
}

TEST(HararyGraph, IsRegularSymmetricConnectedAndWithoutLoops) {
  for (const auto& [sites, degree] :
       {std::pair<std::size_t, std::size_t>{5, 4}, {65, 16}, {100, 32}, {101, 2}, {8, 40}}) {
    const auto graph = HararyGraph(sites, degree, Sha256Of("seed")).value();
    ASSERT_EQ(graph.size(), sites);
    for (std::size_t i = 0; i < sites; ++i) {
      const std::set<std::size_t> mine(graph[i].begin(), graph[i].end());
      EXPECT_EQ(mine.size(), std::min(degree, sites - 1));
      EXPECT_EQ(graph[i].size(), mine.size());
      EXPECT_FALSE(mine.contains(i));
      for (const std::size_t j : mine)
        EXPECT_TRUE(std::binary_search(graph[j].begin(), graph[j].end(), i)) << i << " " << j;
    }
    EXPECT_TRUE(IsConnected(graph));
  }
}

TEST(HararyGraph, DependsOnTheSeedAndOnNothingElse) {
  const auto a = HararyGraph(80, 10, Sha256Of("a")).value(), again = HararyGraph(80, 10, Sha256Of("a")).value();
  EXPECT_EQ(a, again);
  EXPECT_NE(a, HararyGraph(80, 10, Sha256Of("b")).value());
  EXPECT_FALSE(HararyGraph(80, 11, Sha256Of("a")).ok());
  EXPECT_FALSE(HararyGraph(80, 0, Sha256Of("a")).ok());
}

}  // namespace
}  // namespace consilium::secagg
