#include "datasets/demo/site_folders.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "comm/base/file.h"
#include "datasets/demo/hippocampus_sites.h"
#include "datasets/image/image_io.h"
#include "datasets/raw/raw_dataset.h"
#include "tests/testing/run_program.h"
#include "tests/testing/tiny_dataset.h"

namespace consilium::datasets {
namespace {

namespace fs = std::filesystem;

class HospitalSites : public ::testing::Test {
 protected:
  // Written once: every file is synced to the disk, which costs more than the test.
  static void SetUpTestSuite() {
    shared_ = new testing::ScratchFolder;
    written_ = new StatusOr<fs::path>(testing::WriteTinyDataset(shared_->path(), {.cases = 13, .edge = 10}));
  }
  static void TearDownTestSuite() {
    delete written_;
    delete shared_;
  }

  void SetUp() override {
    if (written_->code() == StatusCode::kUnimplemented) GTEST_SKIP() << "built without NIfTI";
    ASSERT_TRUE(written_->ok()) << written_->status();
    source_ = **written_;
  }

  HippocampusOptions Options(const std::string& output) const {
    return {.source = source_, .output = folder_ / output, .training_cases = 3, .heldout_cases = 1, .seed = 5};
  }

  static inline testing::ScratchFolder* shared_ = nullptr;
  static inline StatusOr<fs::path>* written_ = nullptr;
  testing::ScratchFolder folder_;
  fs::path source_;
};

TEST_F(HospitalSites, ShareNoCaseAndKeepEveryLabel) {
  const StatusOr<DemoSites> made = MakeHippocampusSites(Options("out"));
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_EQ(made->sites.size(), 3u);
  std::set<std::string> seen;
  for (const DemoSite& site : made->sites) {
    EXPECT_EQ(site.training_cases.size(), 3u);
    EXPECT_EQ(site.heldout_cases.size(), 1u);
    const StatusOr<RawDataset> opened = OpenRawDataset(site.dataset);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ(opened->description.num_training, 3);
    EXPECT_EQ(opened->description.num_classes(), 3);
    EXPECT_EQ(opened->cases.size(), 3u);
    const auto check = [&](const std::string& id, const fs::path& images, const fs::path& labels) {
      EXPECT_TRUE(seen.insert(id).second) << id << " is at two sites";
      EXPECT_EQ(ReadLabels(labels / (id + ".nii.gz")).value().labels,
                ReadLabels(source_ / "labelsTr" / (id + ".nii.gz")).value().labels);
      const Image before = ReadImage(source_ / "imagesTr" / (id + "_0000.nii.gz")).value();
      const Image after = ReadImage(images / (id + "_0000.nii.gz")).value();
      EXPECT_EQ(before.shape, after.shape);
      EXPECT_NE(before.voxels, after.voxels);
    };
    for (const std::string& id : site.training_cases) check(id, site.dataset / "imagesTr", site.dataset / "labelsTr");
    for (const std::string& id : site.heldout_cases) check(id, site.heldout_images, site.heldout_labels);
  }
  EXPECT_EQ(seen.size(), 12u);
  EXPECT_FALSE(fs::exists(folder_ / "out.partial"));
}

TEST_F(HospitalSites, TheSameSeedMakesTheSameBytesAndAnotherSeedAnotherSplit) {
  HippocampusOptions options = Options("one");
  const StatusOr<DemoSites> one = MakeHippocampusSites(options);
  options.output = folder_ / "two";
  const StatusOr<DemoSites> two = MakeHippocampusSites(options);
  options.output = folder_ / "three";
  options.seed = 6;
  const StatusOr<DemoSites> three = MakeHippocampusSites(options);
  ASSERT_TRUE(one.ok() && two.ok() && three.ok());
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "one")) {
    if (!entry.is_regular_file()) continue;
    const fs::path relative = fs::relative(entry.path(), folder_ / "one");
    EXPECT_EQ(ReadFile(entry.path()).value(), ReadFile(folder_ / "two" / relative).value()) << relative;
    ++files;
  }
  EXPECT_EQ(files, 3 * (4 * 2 + 1) + 1);
  EXPECT_NE(one->sites[0].training_cases, three->sites[0].training_cases);
}

TEST_F(HospitalSites, SitesJsonLeadsFromTheOutputToEverySite) {
  ASSERT_TRUE(MakeHippocampusSites(Options("out")).ok());
  const StatusOr<Json> json = ReadJson(folder_ / "out" / "sites.json");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ((*json)["dataset"], testing::kTinyDatasetName);
  EXPECT_EQ((*json)["suggested_patch_size"], Json({16, 16, 16}));
  EXPECT_EQ((*json)["method"]["seed"], 5);
  ASSERT_EQ((*json)["sites"].size(), 3u);
  for (const Json& site : (*json)["sites"])
    for (const char* key : {"dataset", "heldout_images", "heldout_labels"})
      EXPECT_TRUE(fs::is_directory(folder_ / "out" / site[key].get<std::string>())) << site[key];
}

TEST_F(HospitalSites, TooFewCasesAreRefusedAndNothingIsMade) {
  HippocampusOptions options = Options("out");
  options.training_cases = 4;
  const StatusOr<DemoSites> made = MakeHippocampusSites(options);
  EXPECT_EQ(made.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(made.status().message().find("13 cases"), std::string::npos) << made.status();
  options.heldout_cases = 0;
  options.training_cases = 1;
  EXPECT_EQ(MakeHippocampusSites(options).code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(HospitalSites, AFolderThatHoldsSomethingIsLeftAlone) {
  fs::create_directories(folder_ / "out");
  ASSERT_TRUE(WriteFileAtomic(folder_ / "out" / "precious", std::string_view("x")).ok());
  EXPECT_EQ(MakeHippocampusSites(Options("out")).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(fs::exists(folder_ / "out" / "precious"));
}

TEST_F(HospitalSites, ABrokenCaseLeavesNothingHalfWritten) {
  const fs::path broken = folder_ / testing::kTinyDatasetName;
  fs::copy(source_, broken, fs::copy_options::recursive);
  for (const auto& entry : fs::directory_iterator(broken / "labelsTr")) std::ofstream(entry.path()) << "not an image";
  HippocampusOptions options = Options("out");
  options.source = broken;
  EXPECT_EQ(MakeHippocampusSites(options).code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(fs::exists(folder_ / "out"));
  EXPECT_FALSE(fs::exists(folder_ / "out.partial"));
}

TEST_F(HospitalSites, WhatAKilledRunLeftBehindIsReplacedAndAnEmptyFolderIsUsed) {
  fs::create_directories(folder_ / "out.partial" / "alder");
  ASSERT_TRUE(WriteFileAtomic(folder_ / "out.partial" / "stale", std::string_view("x")).ok());
  fs::create_directories(folder_ / "out");
  ASSERT_TRUE(MakeHippocampusSites(Options("out/")).ok());
  EXPECT_FALSE(fs::exists(folder_ / "out" / "stale"));
  EXPECT_TRUE(fs::exists(folder_ / "out" / "sites.json"));
}

}  // namespace
}  // namespace consilium::datasets
