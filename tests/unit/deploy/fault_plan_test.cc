#include "deploy/demo/fault_plan.h"

#include <gtest/gtest.h>

namespace consilium::demo {
namespace {

Json Update(int round) { return {{"event", "update_accepted"}, {"round", round}, {"site", "a"}}; }
Json Progress(int round, const std::string& site) {
  return {{"event", "progress"}, {"round", round}, {"site", site}, {"phase", "training"}};
}

TEST(FaultPlan, TheCoordinatorDiesOnceAnUpdateIsInAndLaterTheClientWhileItTrains) {
  FaultPlan plan = FaultPlan::For(12, "consortium", "c");
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
  FaultPlan plan = FaultPlan::For(2, "consortium", "c");
  for (int round = 0; round < 2; ++round) EXPECT_FALSE(plan.Due(Update(round)));
  FaultPlan longer = FaultPlan::For(3, "consortium", "c");
  EXPECT_FALSE(longer.Due({{"event", "update_accepted"}}));
  EXPECT_FALSE(longer.Due({{"event", "update_accepted"}, {"round", "1"}}));
  EXPECT_FALSE(longer.Due(Json::object()));
}

}  // namespace
}  // namespace consilium::demo
