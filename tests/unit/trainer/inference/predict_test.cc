#include "trainer/inference/predict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/base/rng.h"
#include "comm/tensor/safetensors.h"
#include "datasets/image/image_io.h"
#include "tests/testing/run_program.h"
#include "trainer/inference/predict_verb.h"
#include "trainer/models/parameters.h"
#include "trainer/models/registry.h"

namespace consilium::trainer {
namespace {

using ::testing::HasSubstr;

// A 2D model on gray PNGs with three classes.
ModelCard PngCard() {
  wire::JobSpec job;
  job.data = {.dataset = "Dataset901_Png", .configuration = "2d"};
  job.model.patch_size = {16, 16};
  job.model.base_features = 4;
  datasets::DatasetDescription description;
  description.channel_names = {"microscope"};
  description.labels = {{"background", 0}, {"inside", 1}, {"border", 2}};
  description.file_ending = ".png";
  return MakeModelCard(job, ResolveModel(job.model).value(), description, {}, {datasets::kFlatSpacingFactor, 1, 1});
}

// A RUN directory with seeded weights as its final checkpoint.
void WriteRun(const std::filesystem::path& run, const ModelCard& card, std::uint64_t seed) {
  ASSERT_TRUE(MakeDirectories(run).ok());
  ASSERT_TRUE(WriteModelCard(run, card).ok());
  const auto model = MakeModel(card.model, card.input(), seed);
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_TRUE(tensor::WriteParameters(run / "checkpoint_final.safetensors", ExportParameters(**model)).ok());
}

datasets::Image NoiseImage(std::int64_t height, std::int64_t width) {
  datasets::Image image;
  image.channels = 1;
  image.shape = {1, height, width};
  image.geometry.dimensions = 2;
  Rng rng(/*seed=*/3);
  for (std::int64_t i = 0; i < height * width; ++i) image.voxels.push_back(static_cast<float>(1 + rng.Below(255)));
  return image;
}

class PredictTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteRun(folder_ / "run_a", PngCard(), 1);
    WriteRun(folder_ / "run_b", PngCard(), 2);
    ASSERT_TRUE(MakeDirectories(folder_ / "images").ok());
    ASSERT_TRUE(datasets::WriteImage(folder_ / "images/cell_1_0000.png", NoiseImage(20, 37)).ok());
    ASSERT_TRUE(datasets::WriteImage(folder_ / "images/cell_2_0000.png", NoiseImage(9, 16)).ok());
  }
  StatusOr<std::int64_t> Predict(std::vector<std::string> runs, const std::string& output) {
    PredictOptions options;
    for (const std::string& run : runs) options.runs.push_back(folder_ / run);
    options.input = folder_ / "images";
    options.output = folder_ / output;
    return PredictCases(options);
  }
  const testing::ScratchFolder folder_;
};

TEST_F(PredictTest, EveryCaseIsWrittenOnItsOwnGrid) {
  const StatusOr<std::int64_t> cases = Predict({"run_a"}, "out");
  ASSERT_TRUE(cases.ok()) << cases.status();
  EXPECT_EQ(*cases, 2);
  const auto first = datasets::ReadLabels(folder_ / "out/cell_1.png"),
             second = datasets::ReadLabels(folder_ / "out/cell_2.png");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->shape, (datasets::Shape3{1, 20, 37}));
  EXPECT_EQ(second->shape, (datasets::Shape3{1, 9, 16}));
  EXPECT_THAT(first->labels, ::testing::Each(::testing::AllOf(::testing::Ge(0), ::testing::Le(2))));
  EXPECT_THAT(first->labels, ::testing::Contains(::testing::Ne(first->labels[0])));  // not all the same
  // What an evaluation needs to know lies beside them.
  EXPECT_EQ(ReadJson(folder_ / "out/dataset.json").value()["labels"]["border"], 2);
}

TEST_F(PredictTest, EnsembleOfOneModelTwiceIsThatModel) {
  ASSERT_TRUE(Predict({"run_a"}, "once").ok());
  ASSERT_TRUE(Predict({"run_a", "run_a"}, "twice").ok());
  ASSERT_TRUE(Predict({"run_a", "run_b"}, "both").ok());
  const auto labels = [&](const std::string& output) {
    return datasets::ReadLabels(folder_ / (output + "/cell_1.png")).value().labels;
  };
  EXPECT_EQ(labels("once"), labels("twice"));
  EXPECT_NE(labels("once"), labels("both"));
}

TEST_F(PredictTest, ModelsThatDifferAreNotAveraged) {
  ModelCard other = PngCard();
  other.labels[1].first = "nucleus";
  WriteRun(folder_ / "run_c", other, 1);
  const StatusOr<std::int64_t> cases = Predict({"run_a", "run_c"}, "out");
  EXPECT_EQ(cases.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(cases.status().message(), HasSubstr("their labels differ"));
}

TEST_F(PredictTest, MissingOrForeignCheckpointIsNamed) {
  EXPECT_THAT(LoadRun(folder_ / "run_a", "best", torch::kCPU).status().message(), HasSubstr("checkpoint_best"));
  EXPECT_THAT(LoadRun(folder_ / "nowhere", "", torch::kCPU).status().message(), HasSubstr("nowhere"));
  ModelCard wider = PngCard();
  wider.model.base_features = 6;
  ASSERT_TRUE(WriteModelCard(folder_ / "run_a", wider).ok());
  const Status foreign = LoadRun(folder_ / "run_a", "", torch::kCPU).status();
  EXPECT_THAT(foreign.message(), HasSubstr("checkpoint_final.safetensors: tensor '"));
  EXPECT_THAT(foreign.message(), HasSubstr("this model expects"));
}

TEST_F(PredictTest, VerbPredictsAndRefusesWithItsExitCodes) {
  EXPECT_EQ(PredictVerb({"--model", folder_ / "run_a", "--input", folder_ / "images", "--output", folder_ / "out",
                         "--mirror", "--device", "cpu"}),
            0);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out/cell_2.png"));
  EXPECT_EQ(PredictVerb({"--model", folder_ / "run_a", "--input", folder_ / "images", "--output", folder_ / "out",
                         "--device", "tpu"}),
            2);
}

TEST(PredictCaseTest, TrainingModeIsRestored) {
  wire::ModelSpec spec;
  spec.patch_size = {8, 8, 8};
  spec.base_features = 2;
  const std::shared_ptr<SegmentationModel> network = MakeModel(spec, {.channels = 1, .classes = 3}, 1).value();
  datasets::PreparedCase prepared;
  prepared.id = "case";
  prepared.channels = 1;
  prepared.shape = prepared.cropped_shape = {9, 6, 10};
  prepared.original_shape = {12, 8, 10};
  prepared.crop_begin = {2, 1, 0};
  prepared.image.assign(static_cast<std::size_t>(datasets::VoxelCount(prepared.shape)), 0.5F);
  SlidingWindowOptions options;
  options.patch_size = spec.patch_size;
  const auto labels = PredictCase(std::vector{network}, prepared, options);
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_EQ(labels->shape, prepared.original_shape);
  EXPECT_TRUE(network->is_training());

  prepared.cropped_shape = {10, 7, 5};  // the scan itself has thinner slices, and wider columns
  prepared.original_shape = {12, 8, 5};
  EXPECT_EQ(PredictCase(std::vector{network}, prepared, options)->shape, prepared.original_shape);
}

}  // namespace
}  // namespace consilium::trainer
