// What a person gets for each mistake: exit code 2 (or 6), the file, the fault and the mend, and nothing half-written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>

#include "comm/base/json.h"
#include "datasets/image/image_io.h"
#include "tests/testing/run_program.h"
#include "tests/testing/tiny_dataset.h"

namespace consilium {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::ProgramResult;
using testing::RunProgram;
namespace fs = std::filesystem;

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    const StatusOr<fs::path> dataset = testing::WriteTinyDataset(scratch_ / "data");
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    dataset_ = *dataset;
    WriteJob(testing::TinyJobYaml("tiny", 1, 1));
  }

  void WriteJob(const std::string& yaml) { ASSERT_TRUE(WriteFileAtomic(scratch_ / "job.yaml", yaml).ok()); }

  ProgramResult Train(std::vector<std::string> extra = {}) {
    std::vector<std::string> arguments = {
        "consilium-trainer",          "train",    (scratch_ / "job.yaml").string(), "--data",
        (scratch_ / "data").string(), "--output", (scratch_ / "run").string()};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    return RunProgram(arguments, scratch_ / Concat("log", ++runs_));
  }

  // Refused before anything was made.
  void ExpectRefused(const ProgramResult& result, const ::testing::Matcher<std::string>& says) {
    EXPECT_EQ(result.exit_code, 2) << result.output;
    EXPECT_THAT(result.output, says);
    EXPECT_FALSE(fs::exists(scratch_ / "run" / "checkpoint_final.safetensors"));
    EXPECT_FALSE(fs::exists(scratch_ / "run" / "checkpoint_latest.json"));
  }

  fs::path Image(int i) const { return dataset_ / "imagesTr" / Concat("tiny_00", i, "_0000.nii.gz"); }
  fs::path Label(int i) const { return dataset_ / "labelsTr" / Concat("tiny_00", i, ".nii.gz"); }

  testing::ScratchFolder scratch_;
  fs::path dataset_;
  int runs_ = 0;
};

TEST_F(BadInput, GoodInputTrains) {
  const ProgramResult result = Train();
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_TRUE(fs::exists(scratch_ / "run" / "checkpoint_final.safetensors")) << result.output;
}

TEST_F(BadInput, MissingLabelNamesTheCase) {
  fs::remove(Label(2));
  ExpectRefused(Train(), AllOf(HasSubstr("tiny_002"), HasSubstr("label")));
}

TEST_F(BadInput, UndeclaredLabelValueIsNamedWithTheCase) {
  datasets::LabelMap labels = datasets::ReadLabels(Label(1)).value();
  labels.labels[5] = 9;
  ASSERT_TRUE(datasets::WriteLabels(Label(1), labels).ok());
  ExpectRefused(Train(), AllOf(HasSubstr("tiny_001"), HasSubstr("9")));
}

TEST_F(BadInput, MixedShapesOfImageAndLabelAreNamed) {
  datasets::LabelMap labels = datasets::ReadLabels(Label(3)).value();
  labels.shape = {16, 16, 15};
  labels.labels.resize(16 * 16 * 15);
  ASSERT_TRUE(datasets::WriteLabels(Label(3), labels).ok());
  ExpectRefused(Train(), AllOf(HasSubstr("tiny_003"), HasSubstr("15")));
}

TEST_F(BadInput, UnreadableFileIsNamedWithTheReason) {
  fs::resize_file(Image(4), fs::file_size(Image(4)) / 2);
  ExpectRefused(Train(), HasSubstr("tiny_004"));
}

TEST_F(BadInput, EveryFaultOfEveryCaseIsInOneReport) {
  fs::remove(Label(0));
  fs::remove(Image(1));
  fs::resize_file(Image(2), 100);
  ExpectRefused(Train(), AllOf(HasSubstr("tiny_000"), HasSubstr("tiny_001"), HasSubstr("tiny_002")));
}

TEST_F(BadInput, TheOddFilesOfARealDatasetAreReported) {
  const char* data = std::getenv("CONSILIUM_DATA");
  const fs::path bad = fs::path(data != nullptr ? data : CONSILIUM_SOURCE_DIR "/../shared/data") / "hippocampus_bad";
  if (!fs::exists(bad)) GTEST_SKIP() << bad << " is absent: set CONSILIUM_DATA";
  fs::copy_file(bad / "images/hippocampus_118.nii.gz", dataset_ / "imagesTr/hippocampus_118_0000.nii.gz");
  fs::copy_file(bad / "labels/hippocampus_010.nii.gz", dataset_ / "labelsTr/hippocampus_010.nii.gz");
  fs::copy_file(bad / "labels/hippocampus_281.nii.gz", dataset_ / "labelsTr/hippocampus_281.nii.gz");
  ExpectRefused(Train(),
                AllOf(HasSubstr("hippocampus_118"), HasSubstr("hippocampus_010"), HasSubstr("hippocampus_281")));
}

TEST_F(BadInput, AnUnknownKeyIsAnsweredWithTheNearestAndItsLine) {
  WriteJob(testing::TinyJobYaml("tiny", 1, 1) + "trian: {epochs: 3}\n");
  ExpectRefused(Train(), AllOf(HasSubstr("job.yaml:5"), HasSubstr("trian"), HasSubstr("did you mean 'train'")));
}

TEST_F(BadInput, AKeyThatIsNotBuiltYetIsRefusedNotIgnored) {
  WriteJob(testing::TinyJobYaml("tiny", 1, 1) + "federation: {privacy: {epsilon: 8}}\n");
  ExpectRefused(Train(),
                AllOf(HasSubstr("federation.privacy"), HasSubstr("not built yet"), HasSubstr("privacy.records")));
}

TEST_F(BadInput, AnUnknownDatasetSaysWhereItWasSought) {
  ExpectRefused(Train({"--set", "data.dataset=Dataset999_Nowhere"}), HasSubstr("Dataset999_Nowhere"));
}

TEST_F(BadInput, AnUnknownVerbAndOptionAreAnsweredWithTheNearest) {
  const ProgramResult verb = RunProgram({"consilium-trainer", "trian"}, scratch_ / "verb.log");
  EXPECT_EQ(verb.exit_code, 2);
  EXPECT_THAT(verb.output, HasSubstr("did you mean 'train'"));
  const ProgramResult option = Train({"--resmue"});
  EXPECT_EQ(option.exit_code, 2);
  EXPECT_THAT(option.output, HasSubstr("did you mean '--resume'"));
}

TEST_F(BadInput, AFormerRunIsNotOverwritten) {
  ASSERT_EQ(Train().exit_code, 0);
  const ProgramResult again = Train();
  EXPECT_EQ(again.exit_code, 2) << again.output;
  EXPECT_THAT(again.output, HasSubstr("--resume"));
}

TEST_F(BadInput, AFullDiskDuringACheckpointExits6AndLeavesNothingHalfWritten) {
  const fs::path small = scratch_ / "small";
  fs::create_directories(small);
  if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=64k") != 0)
    GTEST_SKIP() << "mounting a 64 KiB tmpfs needs root";
  const ProgramResult result = RunProgram(
      {"consilium-trainer", "train", (scratch_ / "job.yaml").string(), "--data", (scratch_ / "data").string(),
       "--output", (small / "run").string(), "--set", "model.base_features=16"},
      scratch_ / "full.log");
  std::vector<std::string> weights;
  for (const auto& entry : fs::recursive_directory_iterator(small))
    if (entry.is_regular_file() && entry.path().string().find("checkpoint") != std::string::npos)
      weights.push_back(entry.path().filename());
  ::umount2(small.c_str(), MNT_DETACH);
  EXPECT_EQ(result.exit_code, 6) << result.output;
  EXPECT_THAT(result.output, HasSubstr("No space left"));
  EXPECT_THAT(weights, ::testing::IsEmpty());
}

}  // namespace
}  // namespace consilium
