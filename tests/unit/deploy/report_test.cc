#include "deploy/demo/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/base/file.h"
#include "tests/testing/run_program.h"

namespace consilium::demo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Report, HoldsTheDiceTheCurvesTheKillsAndThePicture) {
  const testing::ScratchFolder scratch;
  Workspace workspace = {.root = scratch / "demo", .sites = {"alder", "birch", "cedar"}, .patch_size = {}, .rounds = 3};
  workspace.summing = Summing::kPlain;
  ASSERT_TRUE(MakeDirectories(workspace.root).ok());
  DemoResult result = {.dice = {{"alder", 0.8}, {"birch", 0.9}}, .mean_dice = 0.85, .digest = "abc", .seconds = 12};
  result.metrics = workspace.root / "metrics.jsonl";
  result.montage = workspace.root / "montage.png";
  result.report = workspace.root / "report.html";
  const Json site = {{"bytes", 1000000}, {"metrics", {{"dice", 0.5}, {"loss", 0.1}}}};
  std::string lines;
  for (int round = 0; round < 2; ++round)
    lines += Json({{"round", round}, {"sites", {{"alder", site}}}}).dump() + "\n";  // birch reports nothing
  ASSERT_TRUE(WriteFileAtomic(result.metrics, std::string_view(lines)).ok());
  ASSERT_TRUE(WriteFileAtomic(result.montage, std::string_view("png")).ok());
  FaultPlan faults = FaultPlan::For(workspace);
  ASSERT_TRUE(faults.Due({{"event", "update_accepted"}, {"round", 1}}));

  ASSERT_TRUE(WriteReport(result, workspace, faults).ok());
  const std::string html = ReadFile(result.report).value();
  EXPECT_THAT(html, HasSubstr("<td>birch</td><td>0.900</td>"));
  EXPECT_THAT(html, HasSubstr("<td>alder</td><td>0.800</td><td>2.0 MB</td>"));
  EXPECT_THAT(html, HasSubstr("consortium killed"));
  EXPECT_THAT(html, HasSubstr("base64,cG5n"));
  EXPECT_THAT(html, Not(HasSubstr("one brain")));
  EXPECT_THAT(html, Not(HasSubstr("summed in secret")));
}

TEST(Report, OfASecretRunShowsTheMeansThatTheSumsTold) {
  const testing::ScratchFolder scratch;
  const Workspace workspace = {.root = scratch / "demo", .sites = {"a", "b", "c"}, .patch_size = {}, .rounds = 1};
  ASSERT_TRUE(MakeDirectories(workspace.root).ok());
  DemoResult result = {.dice = {{"a", 0.8}}, .mean_dice = 0.8, .digest = "abc", .seconds = 12};
  result.metrics = workspace.root / "metrics.jsonl";
  result.montage = workspace.root / "montage.png";
  result.report = workspace.root / "report.html";
  const Json line = {{"round", 0}, {"mean", {{"loss", 0.125}, {"dice", 0.5}}}, {"sites", {{"a", {{"bytes", 5}}}}}};
  ASSERT_TRUE(WriteFileAtomic(result.metrics, std::string_view(line.dump() + "\n")).ok());
  ASSERT_TRUE(WriteFileAtomic(result.montage, std::string_view("png")).ok());
  ASSERT_TRUE(WriteReport(result, workspace, FaultPlan()).ok());
  const std::string html = ReadFile(result.report).value();
  EXPECT_THAT(html, HasSubstr("Updates were summed in secret"));
  EXPECT_THAT(html, HasSubstr("mean of the sites"));
  EXPECT_THAT(html, HasSubstr("Three hospitals, one U-Net"));
}

TEST(Report, MetricsThatAreNotJsonAreAnErrorThatNamesTheFile) {
  const testing::ScratchFolder scratch;
  DemoResult result;
  result.metrics = scratch / "metrics.jsonl";
  ASSERT_TRUE(WriteFileAtomic(result.metrics, std::string_view("{\n")).ok());
  const Status status = WriteReport(result, Workspace(), FaultPlan());
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr("metrics.jsonl"));
}

}  // namespace
}  // namespace consilium::demo
