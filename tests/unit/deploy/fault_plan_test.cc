#include "deploy/demo/fault_plan.h"

#include <gtest/gtest.h>

namespace consilium::demo {
namespace {

Json Update(int round) { return {{"event", "update_accepted"}, {"round", round}, {"site", "a"}}; }
Json Progress(int round, const std::string& site) {
  return {{"event", "progress"}, {"round", round}, {"site", site}, {"phase", "training"}};
}

Workspace Demo(std::int64_t rounds, std::size_t sites, Summing summing) {
  Workspace workspace{.root = {}, .sites = {"a", "b", "c", "d", "e"}, .patch_size = {}, .rounds = rounds};
  workspace.sites.resize(sites);
  workspace.summing = summing;
  return workspace;
}

TEST(FaultPlan, TheCoordinatorDiesOnceAnUpdateIsInAndLaterTheClientWhileItTrains) {
  FaultPlan plan = FaultPlan::For(Demo(12, 3, Summing::kPlain));
  EXPECT_FALSE(plan.Due(Update(3)));
  EXPECT_FALSE(plan.Due(Progress(4, "c"))) << "not in the coordinator's place";
  const std::optional<Fault> first = plan.Due(Update(4));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->victim, "consortium");
  EXPECT_FALSE(plan.Due(Update(4))) << "each comes once";
  EXPECT_FALSE(plan.Due(Progress(7, "c")));
  EXPECT_FALSE(plan.Due(Progress(8, "a"))) << "another site's progress";
  const std::optional<Fault> second = plan.Due(Progress(8, "c"));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->victim, "c");
  EXPECT_FALSE(plan.Due(Progress(9, "c")));
  ASSERT_EQ(plan.happened().size(), 2u);
  EXPECT_EQ(plan.happened()[0].round, 4);
}

TEST(FaultPlan, ShortDemosAndEventsWithoutARoundAreLeftInPeace) {
  FaultPlan plan = FaultPlan::For(Demo(2, 3, Summing::kPlain));
  for (int round = 0; round < 2; ++round) EXPECT_FALSE(plan.Due(Update(round)));
  FaultPlan longer = FaultPlan::For(Demo(3, 3, Summing::kPlain));
  EXPECT_FALSE(longer.Due({{"event", "update_accepted"}}));
  EXPECT_FALSE(longer.Due({{"event", "update_accepted"}, {"round", "1"}}));
  EXPECT_FALSE(longer.Due(Json::object()));
}

TEST(FaultPlan, OfFiveSitesOneVanishesForGoodOnceItHasSharedItsKeys) {
  FaultPlan plan = FaultPlan::For(Demo(9, 5, Summing::kSecure));
  const auto event = [](const std::string& kind, int round, const std::string& site) {
    return Json{{"event", kind}, {"round", round}, {"site", site}, {"stage", "shares"}};
  };
  ASSERT_TRUE(plan.Due(event("site_ready", 3, "b"))) << "the coordinator, in whose place no update is seen";
  EXPECT_FALSE(plan.Due(event("secure_answer", 5, "e")));
  EXPECT_FALSE(plan.Due(event("site_ready", 6, "a")));
  EXPECT_FALSE(plan.urgent());
  EXPECT_FALSE(plan.Due(event("site_ready", 6, "e")));
  EXPECT_TRUE(plan.urgent());
  EXPECT_FALSE(plan.Due(event("secure_answer", 6, "a")));
  EXPECT_TRUE(plan.urgent());
  const std::optional<Fault> fault = plan.Due(event("secure_answer", 6, "e"));
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->victim, "e");
  EXPECT_EQ(fault->after, Fault::After::kGone);
  EXPECT_FALSE(plan.urgent());
  EXPECT_TRUE(plan.IsGone("e"));
  EXPECT_FALSE(plan.IsGone(kCoordinatorName));
}

}  // namespace
}  // namespace consilium::demo
