#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "datasets/image/image_io.h"
#include "tests/testing/run_program.h"
#include "tests/unit/datasets/image/test_files.h"

namespace consilium::datasets {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class NiftiTest : public ::testing::Test {
 protected:
  fs::path Path(const std::string& name) const { return folder_ / name; }
  consilium::testing::ScratchFolder folder_;
};

// 3 x 2 x 1 voxels 0..5 of one stored type.
template <typename T>
Bytes StoredAs(short datatype) {
  Bytes bytes = NiftiHeaderBytes(3, 2, 1);
  PutAt<short>(&bytes, kDatatype, datatype);
  PutAt<short>(&bytes, kBitpix, 8 * sizeof(T));
  AppendVoxels(&bytes, std::vector<T>{0, 1, 2, 3, 4, 5});
  return bytes;
}

// The same file as a machine of the other byte order writes it.
Bytes SwapByteOrder(Bytes bytes, std::size_t voxel_bytes) {
  const auto reverse = [&](std::size_t at, std::size_t size) { std::reverse(&bytes[at], &bytes[at] + size); };
  reverse(kSizeofHdr, 4);
  for (std::size_t i = 0; i < 8; ++i) reverse(kDim + 2 * i, 2), reverse(kPixdim + 4 * i, 4);
  for (const std::size_t at : {kDatatype, kBitpix, kQformCode, kSformCode}) reverse(at, 2);
  for (const std::size_t at : {kVoxOffset, kSclSlope, kSclInter}) reverse(at, 4);
  for (std::size_t at = kQuatern; at < 328; at += 4) reverse(at, 4);
  for (std::size_t at = 352; at < bytes.size(); at += voxel_bytes) reverse(at, voxel_bytes);
  return bytes;
}

TEST_F(NiftiTest, EveryStoredTypeInEitherByteOrderReadsTheSame) {
  const std::vector<std::pair<Bytes, std::size_t>> files{
      {StoredAs<std::uint8_t>(2), 1},    {StoredAs<std::int16_t>(4), 2},    {StoredAs<std::int32_t>(8), 4},
      {StoredAs<float>(16), 4},          {StoredAs<double>(64), 8},         {StoredAs<std::int8_t>(256), 1},
      {StoredAs<std::uint16_t>(512), 2}, {StoredAs<std::uint32_t>(768), 4}, {StoredAs<std::int64_t>(1024), 8},
      {StoredAs<std::uint64_t>(1280), 8}};
  for (const auto& [bytes, voxel_bytes] : files) {
    for (const Bytes& content : {bytes, SwapByteOrder(bytes, voxel_bytes)}) {
      const StatusOr<Image> image = ReadImage(WriteBytes(Path("a.nii"), content));
      ASSERT_TRUE(image.ok()) << image.status();
      EXPECT_EQ(image->shape, (Shape3{1, 2, 3}));
      EXPECT_EQ(image->channels, 1);
      EXPECT_THAT(image->voxels, ElementsAre(0, 1, 2, 3, 4, 5));
      EXPECT_THAT(ReadLabels(Path("a.nii"))->labels, ElementsAre(0, 1, 2, 3, 4, 5));
    }
  }
}

TEST_F(NiftiTest, SlopeAndInterceptAreHonouredAndNanOrZeroMeansUnscaled) {
  Bytes bytes = StoredAs<std::int16_t>(4);
  PutAt<float>(&bytes, kSclSlope, 2.0F);
  PutAt<float>(&bytes, kSclInter, -10.0F);
  EXPECT_THAT(ReadImage(WriteBytes(Path("a.nii"), bytes))->voxels, ElementsAre(-10, -8, -6, -4, -2, 0));
  EXPECT_THAT(ReadLabels(Path("a.nii"))->labels, ElementsAre(-10, -8, -6, -4, -2, 0));
  for (const float unset : {0.0F, std::numeric_limits<float>::quiet_NaN()}) {
    PutAt<float>(&bytes, kSclSlope, unset);
    EXPECT_THAT(ReadImage(WriteBytes(Path("a.nii"), bytes))->voxels, ElementsAre(0, 1, 2, 3, 4, 5));
  }
}

TEST_F(NiftiTest, ExtensionsAreSkippedAndNotCarriedOver) {
  Bytes bytes = NiftiHeaderBytes(3, 1, 1);
  PutAt<float>(&bytes, kVoxOffset, 384);
  bytes[348] = 1;
  const std::string extension = "PATIENT^NAME in an extension....";
  bytes.insert(bytes.end(), extension.begin(), extension.end());
  AppendVoxels(&bytes, std::vector<float>{7, 8, 9});
  const StatusOr<Image> image = ReadImage(WriteBytes(Path("a.nii"), bytes));
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_THAT(image->voxels, ElementsAre(7, 8, 9));
  ASSERT_TRUE(WriteImage(Path("b.nii"), *image).ok());
  EXPECT_THAT(*ReadFile(Path("b.nii")), ::testing::Not(HasSubstr("PATIENT")));
}

TEST_F(NiftiTest, AGzipOfSeveralMembersIsOneFileAndPaddingBehindItIsIgnored) {
  const Bytes bytes = StoredAs<float>(16);
  Bytes packed = Gzip(Bytes(bytes.begin(), bytes.begin() + 360));
  const Bytes rest = Gzip(Bytes(bytes.begin() + 360, bytes.end()));
  packed.insert(packed.end(), rest.begin(), rest.end());
  packed.resize(packed.size() + 100, 0);
  const StatusOr<Image> image = ReadImage(WriteBytes(Path("a.nii.gz"), packed));
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_THAT(image->voxels, ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_TRUE(ReadImage(WriteBytes(Path("plain.nii.gz"), bytes)).ok()) << "the content decides, not the name";
}

// Oblique q-form with a flipped axis and an s-form that says something else, in several units.
Bytes ObliqueHeader(char units) {
  Bytes bytes = NiftiHeaderBytes(4, 3, 2);
  PutAt(&bytes, kPixdim, std::array<float, 8>{-1, 0.46875F, 0.9375F, 1.2F, 0, 0, 0, 0});
  PutAt<short>(&bytes, kQformCode, 1);
  PutAt<short>(&bytes, kSformCode, 2);
  PutAt(&bytes, kQuatern, std::array<float, 3>{0.1F, -0.69F, 0.69F});
  PutAt(&bytes, kQoffset, std::array<float, 3>{-91.25F, 123.456F, -71.8F});
  PutAt(&bytes, kSrow, std::array<float, 12>{-0.45F, 0.1F, 0, 90, 0.02F, 0.9F, -0.1F, -126, 0, 0.2F, 1.19F, -72});
  PutAt<char>(&bytes, kXyztUnits, units);
  return bytes;
}

TEST_F(NiftiTest, OrientationSpacingAndUnitsAreWrittenBackBitForBit) {
  for (const char units : {0, 1, 2, 3, 10}) {
    Bytes bytes = ObliqueHeader(units);
    AppendVoxels(&bytes, std::vector<float>(24, 1.5F));
    const StatusOr<Image> image = ReadImage(WriteBytes(Path("a.nii"), bytes));
    ASSERT_TRUE(image.ok()) << image.status();
    const double unit = units == 1 ? 1e3 : units == 3 ? 1e-3 : 1.0;
    EXPECT_NEAR(image->geometry.spacing[0], 1.2 * unit, 1e-6 * unit);
    EXPECT_NEAR(image->geometry.spacing[2], 0.46875 * unit, 1e-6 * unit);

    const LabelMap labels{
        .shape = image->shape, .labels = std::vector<std::int16_t>(24, 2), .geometry = image->geometry};
    for (const char* name : {"b.nii", "b.nii.gz"}) {
      ASSERT_TRUE(WriteLabels(Path(name), labels).ok());
      const StatusOr<LabelMap> back = ReadLabels(Path(name));
      ASSERT_TRUE(back.ok()) << back.status();
      EXPECT_EQ(back->geometry, image->geometry) << name;
      EXPECT_EQ(AffineOf(back->geometry), AffineOf(image->geometry)) << name;
      EXPECT_EQ(back->labels, labels.labels) << name;
    }
    const std::string written = *ReadFile(Path("b.nii"));
    EXPECT_EQ(std::memcmp(written.data() + kQformCode, bytes.data() + kQformCode, 328 - kQformCode), 0);
    EXPECT_EQ(std::memcmp(written.data() + kPixdim, bytes.data() + kPixdim, 4 * sizeof(float)), 0);
    EXPECT_EQ(written[kXyztUnits], units);
  }
}

TEST_F(NiftiTest, LabelsTakeTheSmallestTypeThatHoldsThem) {
  const auto datatype_of = [&](std::vector<std::int16_t> values) {
    EXPECT_TRUE(WriteLabels(Path("a.nii"), {.shape = {1, 1, 3}, .labels = values, .geometry = {}}).ok());
    EXPECT_EQ(ReadLabels(Path("a.nii"))->labels, values);
    return int{(*ReadFile(Path("a.nii")))[kDatatype]};
  };
  EXPECT_EQ(datatype_of({0, 255, 1}), 2);
  EXPECT_EQ(datatype_of({0, 256, 1}), 4);
  EXPECT_EQ(datatype_of({-1, -32768, 32767}), 4);
}

TEST_F(NiftiTest, AFlatFileStaysFlatAndItsZSpacingIsFar) {
  Bytes bytes = NiftiHeaderBytes(3, 2, 1);
  PutAt<short>(&bytes, kDim, 2);
  PutAt(&bytes, kPixdim, std::array<float, 8>{1, 0.5F, 2.0F, 0, 0, 0, 0, 0});
  AppendVoxels(&bytes, std::vector<float>(6, 0.25F));
  const StatusOr<Image> image = ReadImage(WriteBytes(Path("a.nii"), bytes));
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->shape, (Shape3{1, 2, 3}));
  EXPECT_EQ(image->geometry.spacing, (Spacing3{1998, 2.0, 0.5}));
  ASSERT_TRUE(WriteImage(Path("b.nii"), *image).ok());
  const std::string written = *ReadFile(Path("b.nii"));
  EXPECT_EQ(written[kDim], 2);
  EXPECT_EQ(ReadImage(Path("b.nii"))->geometry, image->geometry);
}

TEST_F(NiftiTest, TrailingAxesOfOneAreNotAFourthDimension) {
  Bytes bytes = NiftiHeaderBytes(3, 1, 1);
  PutAt<short>(&bytes, kDim, 5);
  AppendVoxels(&bytes, std::vector<float>{1, 2, 3});
  EXPECT_TRUE(ReadImage(WriteBytes(Path("a.nii"), bytes)).ok());
}

TEST_F(NiftiTest, EqualContentGivesEqualBytesAndNothingElseInTheFolder) {
  const LabelMap labels{.shape = {4, 5, 6}, .labels = std::vector<std::int16_t>(120, 1), .geometry = {}};
  ASSERT_TRUE(WriteLabels(Path("a.nii.gz"), labels).ok());
  ASSERT_TRUE(WriteLabels(Path("b.nii.gz"), labels).ok());
  EXPECT_EQ(*ReadFile(Path("a.nii.gz")), *ReadFile(Path("b.nii.gz")));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 2);
}

TEST_F(NiftiTest, WhatNiftiCannotHoldIsRefusedAndLeavesNothing) {
  const Image two{.channels = 2, .shape = {1, 1, 1}, .voxels = {1, 2}, .geometry = {}};
  EXPECT_THAT(WriteImage(Path("a.nii"), two).message(), HasSubstr("one channel"));
  const LabelMap wide{.shape = {1, 1, 32768}, .labels = std::vector<std::int16_t>(32768), .geometry = {}};
  EXPECT_THAT(WriteLabels(Path("a.nii"), wide).message(), HasSubstr("32768 voxels"));
  const LabelMap one{.shape = {1, 1, 1}, .labels = {1}, .geometry = {}};
  EXPECT_FALSE(WriteLabels(Path("no_such_folder") / "a.nii.gz", one).ok());
  EXPECT_THAT(WriteLabels(Path("a.mha"), one).message(), HasSubstr(".nii.gz, .nii or .png"));
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(NiftiTest, RealHippocampusReadsAndItsLabelsRoundTrip) {
  const char* data = std::getenv("CONSILIUM_DATA");
  const fs::path root =
      fs::path(data != nullptr ? data : CONSILIUM_SOURCE_DIR "/../shared/data") / "Dataset004_Hippocampus";
  if (!fs::exists(root)) GTEST_SKIP() << root << " is not there";
  const StatusOr<Image> image = ReadImage(root / "imagesTr/hippocampus_001_0000.nii.gz");
  const StatusOr<LabelMap> labels = ReadLabels(root / "labelsTr/hippocampus_001.nii.gz");
  ASSERT_TRUE(image.ok() && labels.ok()) << image.status() << labels.status();
  EXPECT_EQ(image->shape, labels->shape);
  EXPECT_EQ(image->shape, (Shape3{35, 51, 35}));
  EXPECT_TRUE(SameGrid(image->geometry, labels->geometry));
  EXPECT_EQ(*std::max_element(labels->labels.begin(), labels->labels.end()), 2);
  ASSERT_TRUE(WriteLabels(Path("p.nii.gz"), *labels).ok());
  const StatusOr<LabelMap> back = ReadLabels(Path("p.nii.gz"));
  EXPECT_EQ(back->labels, labels->labels);
  EXPECT_EQ(back->geometry, labels->geometry);
}

}  // namespace
}  // namespace consilium::datasets
