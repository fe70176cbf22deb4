// A raw data set of random gray pictures with a bright square on them, different from case to case, in PNG.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "comm/base/rng.h"
#include "datasets/image/image_io.h"
#include "datasets/raw/raw_dataset.h"
#include "tests/testing/run_program.h"

namespace consilium::datasets {

class PictureDataset {
 public:
  explicit PictureDataset(std::string name = "Dataset902_Pictures") : folder_(scratch_ / name) {
    for (const char* part : {"imagesTr", "labelsTr"}) std::filesystem::create_directories(folder_ / part);
    Describe();
  }
  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path scratch(const std::string& name) const { return scratch_ / name; }

  // Case `id` depends on `seed` alone: a frame of zeros, gray 20..60, and a square of gray 100..130 with label 1. Every
  // seventh seed has no square.
  void AddCase(const std::string& id, std::uint64_t seed) {
    Rng rng(seed, 0);
    const auto height = static_cast<std::int64_t>(24 + rng.Below(9)),
               width = static_cast<std::int64_t>(30 + rng.Below(9));
    const auto side = static_cast<std::int64_t>(seed % 7 == 6 ? 0 : 3 + rng.Below(8));
    Image image{.channels = 1, .shape = {1, height, width}, .voxels = {}, .geometry = {}};
    LabelMap labels{.shape = image.shape, .labels = {}, .geometry = {}};
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const bool is_frame = y < 2 || x < 3 || y >= height - 1 || x >= width - 2;
        const bool is_square = y >= 8 && x >= 9 && y < 8 + side && x < 9 + side;
        const std::uint64_t gray = is_frame ? 0 : is_square ? 100 + rng.Below(31) : 20 + rng.Below(41);
        image.voxels.push_back(static_cast<float>(gray));
        labels.labels.push_back(is_square ? 1 : 0);
      }
    }
    ASSERT_TRUE(WriteImage(folder_ / "imagesTr" / (id + "_0000.png"), image).ok());
    ASSERT_TRUE(WriteLabels(folder_ / "labelsTr" / (id + ".png"), labels).ok());
    ++cases_;
    Describe();
  }
  void AddCases(std::uint64_t first_seed, std::uint64_t count) {
    for (std::uint64_t seed = first_seed; seed < first_seed + count; ++seed)
      AddCase("case" + std::to_string(seed), seed);
  }
  RawDataset Open() const {
    const StatusOr<RawDataset> dataset = OpenRawDataset(folder_);
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    return dataset.ok() ? *dataset : RawDataset{};
  }

 private:
  void Describe() const {
    ASSERT_TRUE(WriteJson(folder_ / "dataset.json", {{"channel_names", {{"0", "gray"}}},
                                                     {"labels", {{"background", 0}, {"square", 1}}},
                                                     {"numTraining", cases_},
                                                     {"file_ending", ".png"}})
                    .ok());
  }
  consilium::testing::ScratchFolder scratch_;
  std::filesystem::path folder_;
  std::int64_t cases_ = 0;
};

}  // namespace consilium::datasets
