#include <gtest/gtest.h>

#include <cstdlib>

#include "comm/base/file.h"
#include "datasets/demo/verbs.h"
#include "datasets/image/image_io.h"
#include "tests/testing/run_program.h"
#include "tests/testing/tiny_dataset.h"

namespace consilium::datasets {
namespace {

namespace fs = std::filesystem;

class DemoVerbs : public ::testing::Test {
 protected:
  void SetUp() override {
    const StatusOr<fs::path> written = testing::WriteTinyDataset(folder_ / "raw", {.cases = 6, .edge = 10});
    if (written.code() == StatusCode::kUnimplemented) GTEST_SKIP() << "built without NIfTI";
    ASSERT_TRUE(written.ok()) << written.status();
    source_ = written->string();
  }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  int MakeData(const std::string& output) const {
    return DemoDataVerb(
        {"--output", Path(output), "--source", source_, "--training-cases", "1", "--heldout-cases", "1"});
  }

  testing::ScratchFolder folder_;
  std::string source_;
};

TEST_F(DemoVerbs, DataThenMontageOfAllSites) {
  ASSERT_EQ(MakeData("sites"), 0);
  Arguments arguments = {"--output", Path("montage.png"), "--dataset", source_, "--heading", "Three hospitals"};
  for (const char* site : {"alder", "birch", "cedar"}) {
    const std::string heldout = Path(Concat("sites/", site, "/heldout"));
    arguments.insert(arguments.end(), {"--site", Concat(site, "=", heldout, "/imagesTs,", heldout, "/labelsTs,",
                                                        heldout, "/labelsTs")});  // the truth as its own prediction
  }
  ASSERT_EQ(MontageVerb(arguments), 0);
  const StatusOr<Image> picture = ReadImage(folder_ / "montage.png");
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->channels, 3);
  EXPECT_GT(picture->shape[1], 3 * 150);
}

TEST_F(DemoVerbs, MontageOfOneFolder) {
  EXPECT_EQ(MontageVerb({"--images", source_ + "/imagesTr", "--labels", source_ + "/labelsTr", "--predictions",
                         source_ + "/labelsTr", "--cases", "1", "--output", Path("one.png")}),
            0);
  EXPECT_TRUE(fs::exists(folder_ / "one.png"));
}

TEST_F(DemoVerbs, BadInputExitsWithTwoAndWritesNothing) {
  constexpr int kBadInput = static_cast<int>(ExitCode::kBadInput);
  EXPECT_EQ(DemoDataVerb({"--source", source_}), kBadInput);  // no --output
  EXPECT_EQ(DemoDataVerb({"--output", Path("x"), "--source", Path("nowhere")}), kBadInput);
  EXPECT_EQ(DemoDataVerb({"--output", Path("x"), "--source", source_, "--training-cases", "50"}), kBadInput);
  EXPECT_EQ(DemoDataVerb({"--output", Path("x"), "--source", source_, "--one-brain"}), kBadInput);
  EXPECT_EQ(DemoDataVerb({"--output", Path("x"), "--one-brain", "--brain", Path("nowhere")}), kBadInput);
  EXPECT_FALSE(fs::exists(folder_ / "x"));
  EXPECT_EQ(MontageVerb({"--output", Path("x.png")}), kBadInput);
  EXPECT_EQ(MontageVerb({"--output", Path("x.png"), "--site", "alder=a,b"}), kBadInput);
  EXPECT_EQ(MontageVerb({"--output", Path("x.png"), "--site", "=a,b,c"}), kBadInput);
  EXPECT_EQ(MontageVerb({"--output", Path("x.png"), "--site", "alder=a,b," + Path("nowhere")}), kBadInput);
  EXPECT_EQ(MontageVerb({"--output", Path("x.png"), "--images", source_ + "/imagesTr", "--labels", Path("raw"),
                         "--predictions", source_ + "/labelsTr"}),
            kBadInput);
  EXPECT_FALSE(fs::exists(folder_ / "x.png"));
}

TEST_F(DemoVerbs, TheEnvironmentsDataSetIsTakenWhenItIsThere) {
  fs::create_directories(folder_ / "data");
  fs::rename(source_, folder_ / "data" / "Dataset004_Hippocampus");
  ::setenv("CONSILIUM_DATA", Path("data").c_str(), 1);
  EXPECT_EQ(DemoDataVerb({"--output", Path("sites"), "--training-cases", "1", "--heldout-cases", "1"}), 0);
  EXPECT_TRUE(fs::exists(folder_ / "sites" / "birch" / "Dataset004_Hippocampus" / "dataset.json"));
  ::unsetenv("CONSILIUM_DATA");
  // Without it the one brain is asked for, here in a folder that has none.
  EXPECT_EQ(DemoDataVerb({"--output", Path("brain"), "--brain", Path("nowhere")}),
            static_cast<int>(ExitCode::kBadInput));
}

}  // namespace
}  // namespace consilium::datasets
