#include "trainer/loop/batch_loader.h"

#include <gtest/gtest.h>

#include "tests/unit/trainer/loop/synthetic_cases.h"

namespace consilium::trainer {
namespace {

class BatchLoaderTest : public testing::Test {
 protected:
  BatchLoaderTest() : cases_(SyntheticCases(3, 5)), sampler_(cases_, SamplerOptions()) {}

  static datasets::SamplerOptions SamplerOptions() {
    datasets::SamplerOptions options;
    options.patch_size = {8, 8, 8};
    options.batch_size = 5;
    options.augmentation = {.mirror = true, .intensity = true};
    return options;
  }
  static LoaderOptions Options(int threads) {
    LoaderOptions options;
    options.patch_size = {8, 8, 8};
    options.shares = {{0, 2, 2}, {3, 4, 2}};
    options.first_step = 7;
    options.end_step = 12;
    options.threads = threads;
    return options;
  }

  std::vector<datasets::PreparedCase> cases_;
  datasets::PatchSampler sampler_;
};

TEST_F(BatchLoaderTest, BatchesComeInOrderAndAreThoseOfTheirStepsWhateverTheThreads) {
  for (const int threads : {1, 2, 5}) {
    const LoaderOptions options = Options(threads);
    BatchLoader loader(sampler_, options);
    for (std::int64_t step = options.first_step; step < options.end_step; ++step)
      for (const Share& share : options.shares) {
        const Batch expected = SampleBatch(sampler_, options, step, share);
        const Batch batch = loader.Next();
        ASSERT_TRUE(torch::equal(batch.image, expected.image)) << threads << " threads, step " << step;
        ASSERT_TRUE(torch::equal(batch.target, expected.target)) << threads << " threads, step " << step;
      }
    EXPECT_ANY_THROW(loader.Next()) << "there is none left";
  }
}

TEST_F(BatchLoaderTest, SharesOfTheSameStepAreTheGlobalBatchInPieces) {
  const LoaderOptions options = Options(1);
  const Batch whole = SampleBatch(sampler_, options, 3, {0, 5, 5});
  const Batch part = SampleBatch(sampler_, options, 3, {2, 4, 5});
  EXPECT_EQ(whole.image.sizes(), torch::IntArrayRef({5, 1, 8, 8, 8}));
  EXPECT_EQ(whole.target.sizes(), torch::IntArrayRef({5, 8, 8, 8}));
  EXPECT_TRUE(torch::equal(whole.image.slice(0, 2, 4), part.image));
  EXPECT_TRUE(torch::equal(whole.target.slice(0, 2, 4), part.target));
}

TEST_F(BatchLoaderTest, ALoaderThatIsNotEmptiedEndsCleanly) {
  BatchLoader unused(sampler_, Options(3));
  BatchLoader used(sampler_, Options(3));
  used.Next();
}

TEST_F(BatchLoaderTest, NoStepsMeanNoBatches) {
  LoaderOptions options = Options(2);
  options.end_step = options.first_step;
  BatchLoader loader(sampler_, options);
  EXPECT_ANY_THROW(loader.Next());
}

}  // namespace
}  // namespace consilium::trainer
