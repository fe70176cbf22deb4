// A raw data set of tiny PNGs, sound until a test breaks something.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "comm/base/json.h"
#include "datasets/image/image_io.h"
#include "tests/testing/run_program.h"

namespace consilium::datasets {

class RawFiles {
 public:
  // Two channels, background and one class, cases a, b, c of 4 x 3 pixels.
  RawFiles() {
    std::filesystem::create_directories(folder() / "imagesTr");
    std::filesystem::create_directories(folder() / "labelsTr");
    WriteDescription(Description());
    for (const char* id : {"a", "b", "c"}) WriteCase(id);
  }
  std::filesystem::path folder() const { return scratch_ / "Dataset901_Tiny"; }

  static Json Description() {
    return {{"channel_names", {{"0", "T1"}, {"1", "T2"}}},
            {"labels", {{"background", 0}, {"lesion", 1}}},
            {"numTraining", 3},
            {"file_ending", ".png"}};
  }
  void WriteDescription(const Json& json) const { WriteText("dataset.json", json.dump()); }
  void WriteText(const std::string& name, const std::string& text) const { std::ofstream(folder() / name) << text; }
  void WriteCase(const std::string& id) const {
    WriteImageOf(id + "_0000", {1, 3, 4});
    WriteImageOf(id + "_0001", {1, 3, 4});
    WriteLabelOf(id, {1, 3, 4}, {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1});
  }
  void WriteImageOf(const std::string& name, const Shape3& shape, std::int64_t channels = 1) const {
    Image image{.channels = channels, .shape = shape, .voxels = {}, .geometry = {}};
    for (std::int64_t i = 0; i < channels * VoxelCount(shape); ++i) image.voxels.push_back(static_cast<float>(i));
    Require(WriteImage(folder() / "imagesTr" / (name + ".png"), image));
  }
  void WriteLabelOf(const std::string& id, const Shape3& shape, std::vector<std::int16_t> values) const {
    Require(WriteLabels(folder() / "labelsTr" / (id + ".png"),
                        {.shape = shape, .labels = std::move(values), .geometry = {}}));
  }
  void Remove(const std::string& name) const { ASSERT_TRUE(std::filesystem::remove(folder() / name)) << name; }

 private:
  static void Require(const Status& status) { ASSERT_TRUE(status.ok()) << status; }
  consilium::testing::ScratchFolder scratch_;
};

}  // namespace consilium::datasets
