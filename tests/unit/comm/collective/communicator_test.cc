// What every Communicator must do, at each size of gang.
#include "comm/collective/communicator.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/unit/comm/collective/gang.h"

namespace consilium::collective {
namespace {

class CommunicatorTest : public testing::TestWithParam<int> {
 protected:
  int world() const { return GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(World, CommunicatorTest, testing::Values(1, 2, 3, 4));

TEST_P(CommunicatorTest, EveryRankKnowsItsPlaceAndNoTwoAreTheSame) {
  std::vector<std::atomic<int>> seen(static_cast<std::size_t>(world()));
  RunGang(world(), [&](Communicator& gang) {
    EXPECT_EQ(gang.world(), world());
    ++seen[static_cast<std::size_t>(gang.rank())];
  });
  for (const auto& count : seen) EXPECT_EQ(count, 1);
}

TEST_P(CommunicatorTest, SumsOfIntegersAreExactForEverySizeAndType) {
  RunGang(world(), [&](Communicator& gang) {
    for (const torch::Dtype type : {torch::kFloat32, torch::kFloat64, torch::kInt64, torch::kInt32})
      for (const std::int64_t size : {0, 1, 1000}) {
        // Element i of rank r is (r + 1) * (i + 1), so the sum is (i + 1) * world (world + 1) / 2, far below 2^24.
        torch::Tensor tensor = (torch::arange(size) + 1).mul(gang.rank() + 1).to(type);
        ASSERT_TRUE(gang.AllReduceSum(tensor, "numbers").ok());
        const torch::Tensor expected = (torch::arange(size) + 1).mul(world() * (world() + 1) / 2).to(type);
        EXPECT_TRUE(tensor.equal(expected)) << "size " << size << ", type " << type;
      }
  });
}

TEST_P(CommunicatorTest, TensorsWithGapsAreSummedInPlaceAndTheirNeighboursLeftAlone) {
  RunGang(world(), [&](Communicator& gang) {
    const torch::Tensor whole = torch::ones({4, 6});
    torch::Tensor columns = whole.slice(1, 1, 3);  // [4, 2], not contiguous
    ASSERT_FALSE(columns.is_contiguous());
    ASSERT_TRUE(gang.AllReduceSum(columns, "columns").ok());
    EXPECT_EQ(columns.sum().item<float>(), 8.0F * world());
    EXPECT_EQ(whole.sum().item<float>(), 16.0F + 8.0F * world());
  });
}

TEST_P(CommunicatorTest, BroadcastGivesEveryoneTheRootsValuesWhoeverIsRoot) {
  RunGang(world(), [&](Communicator& gang) {
    for (int root = 0; root < world(); ++root) {
      torch::Tensor tensor = torch::full({3}, gang.rank());
      ASSERT_TRUE(gang.Broadcast(tensor, root, "values").ok());
      EXPECT_TRUE(tensor.equal(torch::full({3}, root)));
    }
  });
}

TEST_P(CommunicatorTest, BroadcastFromARankThatDoesNotExistIsRefusedByAll) {
  RunGang(world(), [&](Communicator& gang) {
    torch::Tensor tensor = torch::zeros({1});
    EXPECT_EQ(gang.Broadcast(tensor, world(), "values").code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(gang.Broadcast(tensor, -1, "values").code(), StatusCode::kInvalidArgument);
  });
}

TEST_P(CommunicatorTest, NobodyPassesABarrierBeforeAllHaveCome) {
  std::atomic<int> came = 0;
  RunGang(world(), [&](Communicator& gang) {
    ++came;
    ASSERT_TRUE(gang.Barrier("start").ok());
    EXPECT_EQ(came, world());
  });
}

TEST_P(CommunicatorTest, GatheredTextsComeBackByRankAlsoEmptyOnesAndLongOnesAreCut) {
  RunGang(world(), [&](Communicator& gang) {
    const auto texts = gang.AllGatherText(gang.rank() == 0 ? "" : "rank " + std::to_string(gang.rank()));
    ASSERT_TRUE(texts.ok()) << texts.status();
    ASSERT_EQ(texts.value().size(), static_cast<std::size_t>(world()));
    EXPECT_EQ(texts.value()[0], "");
    for (int rank = 1; rank < world(); ++rank)
      EXPECT_EQ(texts.value()[static_cast<std::size_t>(rank)], "rank " + std::to_string(rank));
    const auto cut = gang.AllGatherText(std::string(2 * kGatheredTextBytesMax, 'x'));
    ASSERT_TRUE(cut.ok());
    EXPECT_EQ(cut.value().back(), std::string(kGatheredTextBytesMax, 'x'));
  });
}

TEST_P(CommunicatorTest, RanksThatAllFareWellAgreeOnThat) {
  RunGang(world(), [&](Communicator& gang) { EXPECT_TRUE(gang.Agree(Status()).ok()); });
}

TEST_P(CommunicatorTest, AllRanksLearnTheFailureOfTheLowestFailedRankAndGoOn) {
  RunGang(world(), [&](Communicator& gang) {
    const bool failed = gang.rank() >= world() / 2;
    const Status agreed = gang.Agree(failed ? Storage("disk ", gang.rank(), " is full") : Status());
    EXPECT_EQ(agreed.code(), StatusCode::kStorage);
    EXPECT_NE(agreed.message().find(Concat("disk ", world() / 2, " is full")), std::string::npos) << agreed;
    if (world() > 1) {
      EXPECT_NE(agreed.message().find(Concat("rank ", world() / 2, " of ", world())), std::string::npos) << agreed;
    }
    EXPECT_TRUE(gang.Barrier("afterwards").ok());
  });
}

TEST(Communicator, AfterOneRankFailedForGoodThePeersNameItAndItsReason) {
  constexpr int kWorld = 3;
  RunGang(kWorld, [&](Communicator& gang) {
    ASSERT_TRUE(gang.Barrier("start").ok());
    if (gang.rank() == 2) {
      EXPECT_EQ(gang.Fail(ResourceExhausted("no memory left")).code(), StatusCode::kResourceExhausted);
      torch::Tensor tensor = torch::ones({1});
      EXPECT_EQ(gang.AllReduceSum(tensor, "too late").code(), StatusCode::kCancelled);
      return;
    }
    torch::Tensor tensor = torch::ones({1000});
    const Status status = gang.AllReduceSum(tensor, "numbers");
    EXPECT_EQ(status.code(), StatusCode::kRankFailure);
    EXPECT_NE(status.message().find("rank 2"), std::string::npos) << status;
    EXPECT_NE(status.message().find("no memory left"), std::string::npos) << status;
    // The first failure stays.
    EXPECT_EQ(gang.Barrier("afterwards").message(), status.message());
    EXPECT_EQ(gang.Agree(Storage("mine")).message(), "mine");
  });
}

}  // namespace
}  // namespace consilium::collective
