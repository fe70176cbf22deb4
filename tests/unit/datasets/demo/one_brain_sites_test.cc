#include "datasets/demo/one_brain_sites.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <set>

#include "datasets/image/image_io.h"
#include "tests/testing/run_program.h"

namespace consilium::datasets {
namespace {

namespace fs = std::filesystem;

// A brain of ellipsoids: cerebrum above, cerebellum below and behind; x = 40 is the midline.
LabelMap ToyBrain() {
  LabelMap brain = {.shape = {60, 80, 81}};
  brain.geometry.spacing = {1, 1, 1};
  brain.geometry.sform_code = 1;
  brain.geometry.srow = {{{1, 0, 0, -40}, {0, 1, 0, -40}, {0, 0, 1, -30}}};
  const auto within = [](double z, double y, double x, double radius_z, double radius_y, double radius_x) {
    return z * z / (radius_z * radius_z) + y * y / (radius_y * radius_y) + x * x / (radius_x * radius_x) <= 1;
  };
  for (int z = 0; z < 60; ++z)
    for (int y = 0; y < 80; ++y)
      for (int x = 0; x < 81; ++x)
        brain.labels.push_back(within(z - 12, y - 22, x - 40, 11, 18, 30)   ? 2
                               : within(z - 36, y - 40, x - 40, 22, 38, 36) ? 1
                                                                            : 0);
  return brain;
}

void ExpectFairAndDisjoint(const LabelMap& classes, const CutOptions& options, const std::vector<BrainBlock>& blocks) {
  std::vector<std::uint8_t> owner(classes.labels.size(), 0);
  std::set<std::string> ids;
  std::vector<std::array<std::array<std::int64_t, 3>, 2>> of_site(options.sites);
  std::vector<std::array<std::int64_t, 2>> count(options.sites);
  for (const BrainBlock& block : blocks) {
    EXPECT_TRUE(ids.insert(block.id).second) << block.id;
    ASSERT_LT(block.site, options.sites);
    const std::size_t part = block.part == SitePart::kTraining ? 0 : 1;
    ++count[block.site][part];
    for (std::int64_t z = block.begin[0]; z < block.end[0]; ++z)
      for (std::int64_t y = block.begin[1]; y < block.end[1]; ++y)
        for (std::int64_t x = block.begin[2]; x < block.end[2]; ++x) {
          const auto at = static_cast<std::size_t>((z * classes.shape[1] + y) * classes.shape[2] + x);
          ASSERT_EQ(owner.at(at), 0) << block.id << " shares voxel " << z << ", " << y << ", " << x;
          owner[at] = 1;
          ++of_site[block.site][part][static_cast<std::size_t>(classes.labels[at])];
        }
  }
  for (std::size_t site = 0; site < options.sites; ++site)
    for (std::size_t part = 0; part < 2; ++part) {
      EXPECT_GT(of_site[site][part][1], 0);
      EXPECT_GT(of_site[site][part][2], 0);
      EXPECT_EQ(count[site][part], count[0][part]);
      EXPECT_LE(count[site][part], part == 0 ? options.training_blocks_max : options.heldout_blocks_max);
    }
}

TEST(CutBrain, NoVoxelIsInTwoBlocksAndEverySiteHasEveryClassInBothPartsWhateverTheCut) {
  const LabelMap brain = ToyBrain();
  int cut = 0;
  for (const Shape3& block : {Shape3{12, 12, 12}, Shape3{9, 16, 10}, Shape3{20, 14, 12}})
    for (const std::int64_t heldout : {4, 100})
      for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        const CutOptions options = {.block = block, .heldout_blocks_max = heldout, .seed = seed};
        const StatusOr<std::vector<BrainBlock>> blocks = CutBrain(brain, options);
        ASSERT_TRUE(blocks.ok()) << blocks.status();
        SCOPED_TRACE(Concat("block ", block[0], "x", block[1], "x", block[2], ", seed ", seed));
        ExpectFairAndDisjoint(brain, options, *blocks);
        ++cut;
      }
  EXPECT_EQ(cut, 30);
}

TEST(CutBrain, TrainsOnTheLeftHoldsOutTheRightWhicheverWayTheFileRuns) {
  LabelMap brain = ToyBrain();
  for (const float direction : {1.0f, -1.0f}) {
    brain.geometry.srow[0] = {direction, 0, 0, -40 * direction};
    const auto blocks = CutBrain(brain, {.block = {12, 12, 12}, .midline_gap = 6});
    ASSERT_TRUE(blocks.ok()) << blocks.status();
    for (const BrainBlock& block : *blocks) {
      const bool low = block.end[2] <= 37, high = block.begin[2] >= 43;
      EXPECT_TRUE(low || high) << block.id << " reaches into the gap";
      EXPECT_EQ(block.part == SitePart::kTraining, direction > 0 ? low : high) << block.id;
    }
  }
}

TEST(CutBrain, RefusesWhatCannotGiveEverySiteBothClasses) {
  EXPECT_EQ(CutBrain(ToyBrain(), {.block = {60, 80, 81}}).code(), StatusCode::kInvalidArgument);
  LabelMap no_cerebellum = ToyBrain();
  for (std::int16_t& label : no_cerebellum.labels) label = label == 2 ? 0 : label;
  EXPECT_EQ(CutBrain(no_cerebellum, {.block = {12, 12, 12}}).code(), StatusCode::kInvalidArgument);
  LabelMap empty = ToyBrain();
  std::ranges::fill(empty.labels, 0);
  EXPECT_EQ(CutBrain(empty, {}).code(), StatusCode::kInvalidArgument);
  LabelMap one_side = ToyBrain();
  one_side.geometry.srow[0][3] = 500;
  EXPECT_EQ(CutBrain(one_side, {}).code(), StatusCode::kInvalidArgument);
}

TEST(MergeAal, PutsTheCerebrumInOneClassTheCerebellumInTheOtherAndRefusesOtherAtlases) {
  LabelMap aal = {.shape = {1, 1, 5}, .labels = {0, 1, 90, 91, 116}};
  const auto merged = MergeAalRegions(aal);
  ASSERT_TRUE(merged.ok());
  EXPECT_THAT(merged->labels, ::testing::ElementsAre(0, 1, 1, 2, 2));
  for (const std::int16_t foreign : {117, -1}) {
    aal.labels[0] = foreign;
    EXPECT_EQ(MergeAalRegions(aal).code(), StatusCode::kInvalidArgument);
  }
}

TEST(OneBrain, AMissingPackageIsNamed) {
  const testing::ScratchFolder folder;
  const auto made = MakeOneBrainSites({.templates = folder / "nowhere", .output = folder / "out"});
  EXPECT_EQ(made.code(), StatusCode::kNotFound);
  EXPECT_NE(made.status().message().find("mricron-data"), std::string::npos) << made.status();
  EXPECT_FALSE(fs::exists(folder / "out"));
}

TEST(OneBrain, TheRealBrainBecomesThreeHospitalsWhoseCasesKeepTheirPlaceInTheWorld) {
  const fs::path templates = OneBrainOptions().templates;
  if (!fs::exists(templates / "ch2bet.nii.gz")) GTEST_SKIP() << "the Debian package mricron-data is not installed";
  const StatusOr<LabelMap> aal = ReadLabels(templates / "aal.nii.gz");
  if (aal.code() == StatusCode::kUnimplemented) GTEST_SKIP() << "built without NIfTI";
  ASSERT_TRUE(aal.ok()) << aal.status();
  const LabelMap classes = MergeAalRegions(*aal).value();
  const CutOptions cut;
  const auto blocks = CutBrain(classes, cut);
  ASSERT_TRUE(blocks.ok()) << blocks.status();
  ExpectFairAndDisjoint(classes, cut, *blocks);

  const testing::ScratchFolder folder;
  const auto made = MakeOneBrainSites({.output = folder / "out"});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->dataset, kOneBrainDataset);
  EXPECT_NE(made->note.find("ONE brain"), std::string::npos);
  ASSERT_EQ(made->sites.size(), 3u);
  std::size_t cases = 0;
  for (const DemoSite& site : made->sites) cases += site.training_cases.size() + site.heldout_cases.size();
  EXPECT_EQ(cases, blocks->size());
  for (const BrainBlock& block : {blocks->front(), blocks->back()}) {
    const DemoSite& site = made->sites[block.site];
    const fs::path labels_folder = block.part == SitePart::kTraining ? site.dataset / "labelsTr" : site.heldout_labels;
    const LabelMap labels = ReadLabels(labels_folder / (block.id + ".nii.gz")).value();
    std::size_t at = 0;
    for (std::int64_t z = block.begin[0]; z < block.end[0]; ++z)
      for (std::int64_t y = block.begin[1]; y < block.end[1]; ++y)
        for (std::int64_t x = block.begin[2]; x < block.end[2]; ++x)
          ASSERT_EQ(labels.labels.at(at++), classes.labels[static_cast<std::size_t>((z * 217 + y) * 181 + x)]);
    const Affine whole = AffineOf(classes.geometry), cropped = AffineOf(labels.geometry);
    for (int axis = 0; axis < 3; ++axis)
      EXPECT_NEAR(cropped[axis][3], whole[axis][3] + static_cast<double>(block.begin[2 - axis]), 1e-4);
  }
}

}  // namespace
}  // namespace consilium::datasets
