#include "datasets/statistics/case_loop.h"

#include <gmock/gmock.h>

#include <atomic>
#include <mutex>
#include <set>

#include "tests/unit/datasets/statistics/picture_dataset.h"

namespace consilium::datasets {
namespace {

using ::testing::HasSubstr;

TEST(CaseLoopTest, EveryCaseIsMeasuredOnceAndProgressCountsUp) {
  PictureDataset pictures;
  pictures.AddCases(0, 12);
  std::mutex mutex;
  std::set<std::size_t> seen;
  std::vector<std::int64_t> progress;
  const CaseLoopOptions options{.threads = 3,
                                .on_case = [&](const std::string&, std::int64_t done, std::int64_t total) {
                                  progress.push_back(done);
                                  EXPECT_EQ(total, 12);
                                }};
  const Status status = ForEachMeasuredCase(pictures.Open(), options, [&](std::size_t index, MeasuredCase measured) {
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(seen.insert(index).second);
    EXPECT_EQ(measured.foreground.size(), 1U);
    EXPECT_GT(measured.bytes, 0U);
    return Status();
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(seen.size(), 12U);
  ASSERT_EQ(progress.size(), 12U);
  EXPECT_TRUE(std::is_sorted(progress.begin(), progress.end()));
}

TEST(CaseLoopTest, ABudgetSmallerThanOneCaseStillMeasuresThemOneAtATime) {
  PictureDataset pictures;
  pictures.AddCases(0, 8);
  std::atomic<int> running{0}, most{0};
  const Status status =
      ForEachMeasuredCase(pictures.Open(), {.threads = 4, .memory_bytes = 1}, [&](std::size_t, MeasuredCase) {
        const int now = ++running;
        most = std::max(most.load(), now);
        --running;
        return Status();
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(most, 1);
}

TEST(CaseLoopTest, AFaultyCaseEndsItWithTheCasesName) {
  PictureDataset pictures;
  pictures.AddCases(0, 6);
  Image black{.channels = 1, .shape = {1, 5, 5}, .voxels = std::vector<float>(25, 0.0F), .geometry = {}};
  ASSERT_TRUE(WriteImage(pictures.folder() / "imagesTr" / "case3_0000.png", black).ok());
  const Status status = ForEachMeasuredCase(pictures.Open(), {}, [](std::size_t, MeasuredCase) { return Status(); });
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("case3"));
}

TEST(CaseLoopTest, CancelledItStopsAndSaysSo) {
  PictureDataset pictures;
  pictures.AddCases(0, 6);
  std::atomic<int> measured{0};
  const CaseLoopOptions options{.threads = 2, .is_cancelled = [&] { return measured >= 2; }};
  const Status status = ForEachMeasuredCase(pictures.Open(), options, [&](std::size_t, MeasuredCase) {
    ++measured;
    return Status();
  });
  EXPECT_EQ(status.code(), StatusCode::kCancelled);
  EXPECT_LT(measured, 6);
}

}  // namespace
}  // namespace consilium::datasets
