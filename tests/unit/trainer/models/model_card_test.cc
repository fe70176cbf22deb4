#include "trainer/models/model_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/base/file.h"
#include "comm/tensor/safetensors.h"
#include "tests/testing/run_program.h"
#include "trainer/models/init_verb.h"
#include "trainer/models/registry.h"

namespace consilium::trainer {
namespace {

using ::testing::HasSubstr;

ModelCard HippocampusCard() {
  wire::JobSpec job;
  job.data.dataset = "Dataset004_Hippocampus";
  job.model.patch_size = {40, 56, 40};
  job.model.base_features = 8;
  datasets::DatasetDescription description;
  description.channel_names = {"MRI"};
  description.labels = {{"background", 0}, {"Posterior", 2}, {"Anterior", 1}};  // the file's order, not the values'
  description.file_ending = ".nii.gz";
  return MakeModelCard(job, ResolveModel(job.model).value(), description, {}, {1, 1, 1.5});
}

TEST(ModelCardTest, WhatIsReadIsWhatWasWritten) {
  const testing::ScratchFolder run;
  const ModelCard card = HippocampusCard();
  ASSERT_TRUE(WriteModelCard(run.path(), card).ok());
  const StatusOr<ModelCard> read = ReadModelCard(run.path());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(ModelCardToJson(*read), ModelCardToJson(card));
  EXPECT_EQ(read->labels, card.labels);
  EXPECT_EQ(read->input().classes, 3);
  EXPECT_EQ(read->mirror_axes, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(read->model.strides.size(), 4U);
  EXPECT_EQ(read->spacing, (datasets::Spacing3{1, 1, 1.5}));
  EXPECT_EQ(PrepareOptionsOf(*read).num_classes, 3);
  EXPECT_EQ(DescriptionOf(*read).file_ending, ".nii.gz");
}

TEST(ModelCardTest, WhatAPlanSaysOfIntensitiesReachesThoseWhoPredict) {
  wire::JobSpec job;
  job.data.normalization = {
      {.scheme = "CTNormalization", .mean = 40, .std = 20, .percentile_00_5 = -90, .percentile_99_5 = 180},
      {.scheme = "ZScoreNormalization", .inside_mask = true}};
  datasets::DatasetDescription description;
  description.channel_names = {"CT", "PET"};
  description.labels = {{"background", 0}, {"tumour", 1}};
  const StatusOr<datasets::PrepareOptions> prepare = PrepareOptionsOf(job, description);
  ASSERT_TRUE(prepare.ok()) << prepare.status();
  EXPECT_TRUE(prepare->normalize_inside_mask_only);
  ModelCard card = HippocampusCard();
  card.channel_names = description.channel_names;
  card.normalization = prepare->normalization;
  card.ct = prepare->ct;
  const testing::ScratchFolder run;
  ASSERT_TRUE(WriteModelCard(run.path(), card).ok());
  const StatusOr<ModelCard> read = ReadModelCard(run.path());
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(PrepareOptionsOf(*read).ct.size(), 2U);
  EXPECT_EQ(PrepareOptionsOf(*read).ct[0], (datasets::CtIntensities{.mean = 40, .std = 20, .low = -90, .high = 180}));
  card.ct.clear();
  ASSERT_TRUE(WriteModelCard(run.path(), card).ok());
  EXPECT_THAT(ReadModelCard(run.path()).status().message(), HasSubstr("CTNormalization scales by"));

  description.channel_names = {"CT"};
  EXPECT_THAT(PrepareOptionsOf(job, description).status().message(), HasSubstr("2 channels, but"));
  job.data.normalization.clear();
  EXPECT_EQ(PrepareOptionsOf(job, description).status().code(), StatusCode::kFailedPrecondition)
      << "without a plan nobody knows the intensities";
}

TEST(ModelCardTest, FaultsAreNamedWithFileAndKey) {
  const testing::ScratchFolder run;
  EXPECT_THAT(ReadModelCard(run.path()).status().message(), HasSubstr("model.json"));
  const auto read_with = [&](const std::function<void(Json&)>& change) {
    Json json = ModelCardToJson(HippocampusCard());
    change(json);
    EXPECT_TRUE(WriteJson(run / "model.json", json).ok());
    return ReadModelCard(run.path()).status();
  };
  EXPECT_TRUE(read_with([](Json&) {}).ok());
  EXPECT_THAT(read_with([](Json& json) { json["format"] = 2; }).message(), HasSubstr("format"));
  EXPECT_THAT(read_with([](Json& json) { json["labels"]["Anterior"] = 5; }).message(), HasSubstr("without gaps"));
  EXPECT_THAT(read_with([](Json& json) { json["normalization"][0] = "Zscore"; }).message(), HasSubstr("normalization"));
  EXPECT_THAT(read_with([](Json& json) { json["spacing"][2] = 0; }).message(), HasSubstr("spacing"));
  EXPECT_THAT(read_with([](Json& json) { json["mirror_axes"] = {3}; }).message(), HasSubstr("mirror_axes"));
  EXPECT_THAT(read_with([](Json& json) { json["modle"] = 1; }).message(), HasSubstr("did you mean 'model'"));
  EXPECT_THAT(read_with([](Json& json) {
                json["model"]["patch_size"] = {39, 56, 40};
              }).message(),
              HasSubstr("model.patch_size[0] is 39"));
  EXPECT_EQ(read_with([](Json& json) { json["labels"] = "x"; }).code(), StatusCode::kInvalidArgument);
}

TEST(InitVerbTest, WritesTheSameBytesForTheSameSeed) {
  const testing::ScratchFolder folder;
  const std::string job = folder / "job.yaml";
  ASSERT_TRUE(WriteFileAtomic(job, std::string_view("name: tiny\ndata: {dataset: Dataset900_Tiny}\n"
                                                    "model: {patch_size: [16, 16, 16], base_features: 2}\n"))
                  .ok());
  const auto init = [&](const std::string& output, const std::string& seed) {
    return InitVerb({job, "--channels", "1", "--classes", "3", "--set", "train.seed=" + seed, "-o", folder / output});
  };
  ASSERT_EQ(init("a.safetensors", "1"), 0);
  ASSERT_EQ(init("b.safetensors", "1"), 0);
  ASSERT_EQ(init("c.safetensors", "2"), 0);
  EXPECT_EQ(ReadFile(folder / "a.safetensors").value(), ReadFile(folder / "b.safetensors").value());
  const auto a = tensor::ReadParameters(folder / "a.safetensors"), c = tensor::ReadParameters(folder / "c.safetensors");
  ASSERT_TRUE(a.ok() && c.ok());
  EXPECT_TRUE(a->schema().CheckSame(c->schema()).ok());
  EXPECT_NE(a->digest(), c->digest());
  EXPECT_EQ(InitVerb({job, "--channels", "1", "-o", folder / "d.safetensors"}), 2);  // --classes is missing
}

}  // namespace
}  // namespace consilium::trainer
