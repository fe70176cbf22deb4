#include <gmock/gmock.h>
#include <sys/stat.h>

#include "comm/base/rng.h"
#include "datasets/image/image_io.h"
#include "datasets/image/png_file.h"
#include "tests/testing/run_program.h"
#include "tests/unit/datasets/image/test_files.h"

namespace consilium::datasets {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class PngTest : public ::testing::Test {
 protected:
  StatusOr<Image> Read(const Bytes& bytes) { return ReadImage(WriteBytes(folder_ / "a.png", bytes)); }
  StatusOr<LabelMap> ReadLabelsOf(const Bytes& bytes) { return ReadLabels(WriteBytes(folder_ / "a.png", bytes)); }
  consilium::testing::ScratchFolder folder_;
};

TEST_F(PngTest, GrayOfEightAndSixteenBitsAndColourRoundTrip) {
  const Image gray{.channels = 1, .shape = {1, 2, 3}, .voxels = {0, 1, 2, 253, 254, 255}, .geometry = {}};
  const Image deep{.channels = 1, .shape = {1, 2, 3}, .voxels = {0, 1, 256, 257, 65534, 65535}, .geometry = {}};
  const Image colour{.channels = 3, .shape = {1, 1, 2}, .voxels = {1, 2, 11, 12, 21, 22}, .geometry = {}};
  for (const Image& image : {gray, deep, colour}) {
    ASSERT_TRUE(WriteImage(folder_ / "a.png", image).ok());
    const StatusOr<Image> back = ReadImage(folder_ / "a.png");
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->channels, image.channels);
    EXPECT_EQ(back->shape, image.shape);
    EXPECT_EQ(back->voxels, image.voxels);
    EXPECT_EQ(back->geometry.spacing, (Spacing3{999, 1, 1}));
    EXPECT_EQ(back->geometry.dimensions, 2);
  }
}

TEST_F(PngTest, FewBitsAreTheirStoredValues) {
  EXPECT_THAT(Read(PngBytes({.width = 5, .bits = 1, .color = 0, .palette = {}, .rows = {0, 0b10110000}}))->voxels,
              ElementsAre(1, 0, 1, 1, 0));
  EXPECT_THAT(
      ReadLabelsOf(PngBytes({.width = 3, .bits = 2, .color = 0, .palette = {}, .rows = {0, 0b00011000}}))->labels,
      ElementsAre(0, 1, 2));
}

TEST_F(PngTest, APaletteBecomesColourOrGray) {
  const StatusOr<Image> colour =
      Read(PngBytes({.width = 2, .bits = 8, .color = 3, .palette = {9, 8, 7, 1, 2, 3}, .rows = {0, 1, 0}}));
  ASSERT_TRUE(colour.ok()) << colour.status();
  EXPECT_EQ(colour->channels, 3);
  EXPECT_THAT(colour->voxels, ElementsAre(1, 9, 2, 8, 3, 7));
  const Bytes gray =
      PngBytes({.width = 3, .bits = 4, .color = 3, .palette = {2, 2, 2, 0, 0, 0, 1, 1, 1}, .rows = {0, 0x01, 0x20}});
  EXPECT_THAT(Read(gray)->voxels, ElementsAre(2, 0, 1));
  EXPECT_THAT(ReadLabelsOf(gray)->labels, ElementsAre(2, 0, 1)) << "not the palette's indices";
}

TEST_F(PngTest, AlphaIsDropped) {
  EXPECT_THAT(Read(PngBytes({.width = 2, .bits = 8, .color = 4, .palette = {}, .rows = {0, 5, 255, 6, 0}}))->voxels,
              ElementsAre(5, 6));
  EXPECT_THAT(Read(PngBytes({.width = 1, .bits = 8, .color = 6, .palette = {}, .rows = {0, 5, 6, 7, 0}}))->voxels,
              ElementsAre(5, 6, 7));
}

TEST_F(PngTest, ColourLabelsAreRefusedUnlessAllThreeValuesAgree) {
  EXPECT_THAT(ReadLabelsOf(PngBytes({.width = 1, .bits = 8, .color = 2, .palette = {}, .rows = {0, 1, 2, 1}}))
                  .status()
                  .message(),
              HasSubstr("save labels as gray"));
  EXPECT_THAT(ReadLabelsOf(PngBytes({.width = 1, .bits = 8, .color = 2, .palette = {}, .rows = {0, 2, 2, 2}}))->labels,
              ElementsAre(2));
}

TEST_F(PngTest, WhatPngCannotHoldIsRefused) {
  const auto refusal = [&](const Image& image) { return WriteImage(folder_ / "b.png", image).message(); };
  EXPECT_THAT(refusal({.channels = 1, .shape = {1, 1, 1}, .voxels = {0.5F}, .geometry = {}}), HasSubstr("0.5"));
  EXPECT_THAT(refusal({.channels = 1, .shape = {1, 1, 1}, .voxels = {-1}, .geometry = {}}), HasSubstr("-1"));
  EXPECT_THAT(refusal({.channels = 1, .shape = {2, 1, 1}, .voxels = {1, 1}, .geometry = {}}), HasSubstr("2 slices"));
  EXPECT_THAT(refusal({.channels = 2, .shape = {1, 1, 1}, .voxels = {1, 1}, .geometry = {}}), HasSubstr("channels"));
  EXPECT_THAT(refusal({.channels = 1, .shape = {1, 0, 0}, .voxels = {}, .geometry = {}}), HasSubstr("0 x 0 pixels"));
  EXPECT_FALSE(WriteLabels(folder_ / "b.png", {.shape = {1, 1, 1}, .labels = {-1}, .geometry = {}}).ok());
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(PngTest, APictureForPeopleIsWritten) {
  const std::vector<std::uint8_t> rgb{255, 0, 0, 0, 255, 0};
  ASSERT_TRUE(WritePngRgb(folder_ / "m.png", 2, 1, rgb).ok());
  EXPECT_THAT(ReadPng(folder_ / "m.png")->values, ElementsAre(255, 0, 0, 0, 255, 0));
}

Bytes Gradient() {
  PngFile file{.width = 20, .height = 20, .bits = 8, .color = 0, .palette = {}, .rows = {}};
  for (int y = 0; y < 20; ++y) {
    file.rows.push_back(0);
    for (int x = 0; x < 20; ++x) file.rows.push_back(static_cast<std::uint8_t>(x * y));
  }
  return PngBytes(file);
}

TEST_F(PngTest, EveryTruncationIsRefused) {
  const Bytes good = Gradient();
  ASSERT_TRUE(Read(good).ok());
  for (std::size_t size = 0; size < good.size(); ++size) {
    const StatusOr<Image> image = Read(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)));
    ASSERT_FALSE(image.ok()) << size;
    ASSERT_EQ(image.code(), StatusCode::kInvalidArgument);
  }
}

TEST_F(PngTest, EveryFlippedByteIsRefused) {
  const Bytes good = Gradient();
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes bytes = good;
    bytes[at] ^= 0x41;
    const StatusOr<Image> image = Read(bytes);
    EXPECT_FALSE(image.ok()) << at;  // every chunk has a checksum
    EXPECT_THAT(image.status().message(), HasSubstr("a.png")) << at;
  }
}

TEST_F(PngTest, AnAnnouncementLargerThanTheFileCanHoldIsRefused) {
  const auto refusal = [&](std::uint32_t width, std::uint32_t height) {
    return Read(PngBytes({.width = width, .height = height, .bits = 16, .color = 2, .palette = {}, .rows = {0, 1, 2}}))
        .status();
  };
  EXPECT_THAT(refusal(16000, 16000).message(), HasSubstr("more pixels than a file of its size can hold"));
  EXPECT_THAT(refusal(100000, 100000).message(), HasSubstr("more pixels than are read"));
  EXPECT_EQ(refusal(0x7fffffff, 0x7fffffff).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(refusal(0, 5).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(refusal(40, 40).code(), StatusCode::kInvalidArgument) << "rows that are not there";
}

TEST_F(PngTest, WhatIsNoFileIsRefusedWithoutWaiting) {
  fs::create_directory(folder_ / "folder.png");
  EXPECT_THAT(ReadImage(folder_ / "folder.png").status().message(), HasSubstr("not a regular file"));
  ASSERT_EQ(::mkfifo((folder_ / "pipe.png").c_str(), 0600), 0);
  EXPECT_THAT(ReadLabels(folder_ / "pipe.png").status().message(), HasSubstr("not a regular file"));
  EXPECT_EQ(ReadImage(folder_ / "missing.png").code(), StatusCode::kNotFound);
}

TEST_F(PngTest, NoiseIsRefused) {
  constexpr std::uint64_t kSeed = 7;
  SCOPED_TRACE(kSeed);
  Rng rng(kSeed);
  for (int i = 0; i < 100; ++i) {
    Bytes bytes(rng.Below(500));
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.NextU32());
    EXPECT_FALSE(Read(bytes).ok());
  }
}

}  // namespace
}  // namespace consilium::datasets
