#include "trainer/loop/batch_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/local/poly_schedule.h"

namespace consilium::trainer {
namespace {

using testing::ElementsAre;

TEST(BatchSplitTest, TheFirstRanksTakeTheRemainder) {
  EXPECT_THAT(*SharesOf({.batch_size = 7, .micro_batches = 1, .world = 3}, 0), ElementsAre(Share{0, 3, 7}));
  EXPECT_THAT(*SharesOf({.batch_size = 7, .micro_batches = 1, .world = 3}, 1), ElementsAre(Share{3, 5, 7}));
  EXPECT_THAT(*SharesOf({.batch_size = 7, .micro_batches = 1, .world = 3}, 2), ElementsAre(Share{5, 7, 7}));
}

TEST(BatchSplitTest, MicroBatchesAreCutBeforeRanks) {
  EXPECT_THAT(*SharesOf({.batch_size = 6, .micro_batches = 2, .world = 2}, 1),
              ElementsAre(Share{2, 3, 3}, Share{5, 6, 3}));
}

TEST(BatchSplitTest, EverySampleBelongsToExactlyOneRankAndMicroBatch) {
  for (std::int64_t batch = 1; batch <= 24; ++batch)
    for (std::int64_t micro = 1; micro <= batch; ++micro)
      for (int world = 1; world <= 5; ++world) {
        if (batch % micro != 0 || batch / micro < world) continue;
        std::vector<int> seen(static_cast<std::size_t>(batch), 0);
        for (int rank = 0; rank < world; ++rank) {
          const StatusOr<std::vector<Share>> shares = SharesOf({batch, micro, world}, rank);
          ASSERT_TRUE(shares.ok()) << shares.status();
          ASSERT_EQ(shares->size(), static_cast<std::size_t>(micro));
          for (const Share& share : *shares) {
            EXPECT_GE(share.size(), 1);
            EXPECT_EQ(share.of, batch / micro);
            for (std::int64_t i = share.begin; i < share.end; ++i) ++seen[static_cast<std::size_t>(i)];
          }
        }
        EXPECT_THAT(seen, testing::Each(1))
            << batch << " samples, " << micro << " micro-batches, " << world << " ranks";
      }
}

TEST(BatchSplitTest, FewerSamplesThanRanksAreRefusedWithTheMend) {
  const auto shares = SharesOf({.batch_size = 4, .micro_batches = 2, .world = 3}, 0);
  ASSERT_FALSE(shares.ok());
  EXPECT_EQ(shares.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(shares.status().message(), testing::HasSubstr("mend"));
}

TEST(BatchSplitTest, AccumulationThatDoesNotDivideTheBatchIsRefused) {
  EXPECT_EQ(SharesOf({.batch_size = 5, .micro_batches = 2, .world = 1}, 0).code(), StatusCode::kInvalidArgument);
}

TEST(PolyScheduleTest, FallsFromTheInitialRateTowardsZeroWithPower09) {
  EXPECT_DOUBLE_EQ(PolyLearningRate(0.01, 0, 1000), 0.01);
  EXPECT_NEAR(PolyLearningRate(0.01, 500, 1000), 0.005358867, 1e-9);   // 0.01 * 0.5^0.9
  EXPECT_NEAR(PolyLearningRate(0.01, 999, 1000), 1.99526e-05, 1e-10);  // 0.01 * 0.001^0.9
}

}  // namespace
}  // namespace consilium::trainer
