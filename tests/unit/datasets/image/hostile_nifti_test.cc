// Files that lie, break off or were hit by a bit: refused with the reason, never a crash, never memory for what is not
// there.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <functional>
#include <limits>

#include "comm/base/rng.h"
#include "datasets/image/image_io.h"
#include "tests/testing/run_program.h"
#include "tests/unit/datasets/image/test_files.h"

namespace consilium::datasets {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

class HostileNiftiTest : public ::testing::Test {
 protected:
  StatusOr<Image> Read(const Bytes& bytes, const std::string& name = "a.nii") {
    return ReadImage(WriteBytes(folder_ / name, bytes));
  }
  static Bytes GoodFile() {
    Bytes bytes = NiftiHeaderBytes(4, 3, 2);
    PutAt<short>(&bytes, kSformCode, 1);
    PutAt(&bytes, kSrow, std::array<float, 12>{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0});
    std::vector<float> voxels(24);
    for (std::size_t i = 0; i < voxels.size(); ++i) voxels[i] = static_cast<float>(i * i);
    AppendVoxels(&bytes, voxels);
    return bytes;
  }
  consilium::testing::ScratchFolder folder_;
};

std::int64_t PeakMemoryBytes() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

TEST_F(HostileNiftiTest, EveryLieInTheHeaderIsRefusedByName) {
  struct Lie {
    std::function<void(Bytes*)> tell;
    const char* reason;
  };
  const std::vector<Lie> lies{
      {[](Bytes* b) { PutAt<int>(b, kSizeofHdr, 347); }, "not NIfTI"},
      {[](Bytes* b) { PutAt<int>(b, kSizeofHdr, 540); }, "NIfTI-2"},
      {[](Bytes* b) { std::memcpy(b->data() + kMagic, "ni1", 4); }, ".hdr/.img pair"},
      {[](Bytes* b) { PutAt<int>(b, kMagic, 0); }, "magic"},
      {[](Bytes* b) { PutAt<short>(b, kDim, 0); }, "dim[0] is 0"},
      {[](Bytes* b) { PutAt<short>(b, kDim, 1); }, "dim[0] is 1"},
      {[](Bytes* b) { PutAt<short>(b, kDim, 8); }, "dim[0] is 8"},
      {[](Bytes* b) { PutAt<short>(b, kDim, -3); }, "dim[0] is -3"},
      {[](Bytes* b) { PutAt<short>(b, kDim + 2, 0); }, "dim[1] is 0"},
      {[](Bytes* b) { PutAt<short>(b, kDim + 6, -2); }, "dim[3] is -2"},
      {[](Bytes* b) {
         PutAt(b, kDim, std::array<short, 5>{4, 2, 2, 2, 3});
       },
       "3 volumes"},
      {[](Bytes* b) {
         PutAt(b, kDim, std::array<short, 4>{3, 32767, 32767, 32767});
       },
       "announces 32767 x 32767 x 32767"},
      {[](Bytes* b) { PutAt<short>(b, kDatatype, 32); }, "datatype 32 (COMPLEX64)"},
      {[](Bytes* b) { PutAt<short>(b, kDatatype, 128); }, "datatype 128 (RGB24)"},
      {[](Bytes* b) { PutAt<short>(b, kDatatype, 12345); }, "datatype 12345"},
      {[](Bytes* b) { PutAt<short>(b, kBitpix, 16); }, "bitpix is 16"},
      {[](Bytes* b) { PutAt<float>(b, kVoxOffset, 0); }, "vox_offset is 0"},
      {[](Bytes* b) { PutAt<float>(b, kVoxOffset, -352); }, "vox_offset is -352"},
      {[](Bytes* b) { PutAt<float>(b, kVoxOffset, 352.5F); }, "vox_offset is 352.5"},
      {[](Bytes* b) { PutAt<float>(b, kVoxOffset, kNan); }, "vox_offset is nan"},
      {[](Bytes* b) { PutAt<float>(b, kVoxOffset, 3e38F); }, "vox_offset is 3e+38"},
      {[](Bytes* b) { PutAt<float>(b, kVoxOffset, 1e8F); }, "a file of its size holds at most"},
      {[](Bytes* b) { PutAt<float>(b, kPixdim + 4, 0); }, "pixdim[1] is 0"},
      {[](Bytes* b) { PutAt<float>(b, kPixdim + 8, -1); }, "pixdim[2] is -1"},
      {[](Bytes* b) { PutAt<float>(b, kPixdim + 12, kNan); }, "pixdim[3] is nan"},
      {[](Bytes* b) { PutAt<float>(b, kPixdim + 12, kInfinity); }, "pixdim[3] is inf"},
      {[](Bytes* b) { PutAt<float>(b, kSrow + 12, kInfinity); }, "s-form (srow_*) is not finite"},
      {[](Bytes* b) { PutAt<float>(b, kSrow + 40, 0); }, "onto a plane"},
      {[](Bytes* b) { PutAt<short>(b, kQformCode, 1), PutAt<float>(b, kQuatern, kNan); },
       "q-form (quatern_*, qoffset_*)"},
      {[](Bytes* b) { PutAt<short>(b, kQformCode, 1), PutAt<float>(b, kQoffset + 8, kInfinity); }, "q-form"},
  };
  ASSERT_TRUE(Read(GoodFile()).ok());
  for (const Lie& lie : lies) {
    Bytes bytes = GoodFile();
    lie.tell(&bytes);
    for (const bool is_compressed : {false, true}) {
      // deflate could pack 1032 times as much: for this one the truth comes out when the bytes do not arrive
      const std::string reason =
          is_compressed && std::string(lie.reason).starts_with("a file of") ? "a.nii.gz" : lie.reason;
      const StatusOr<Image> image = is_compressed ? Read(Gzip(bytes), "a.nii.gz") : Read(bytes);
      ASSERT_FALSE(image.ok()) << lie.reason;
      EXPECT_EQ(image.code(), StatusCode::kInvalidArgument) << image.status();
      EXPECT_THAT(image.status().message(), HasSubstr(reason));
      EXPECT_THAT(image.status().message(), HasSubstr((folder_ / "a.nii").string())) << "the file is named";
    }
  }
}

TEST_F(HostileNiftiTest, AnAnnouncementOfGigabytesIsRefusedBeforeMemoryIsTaken) {
  Bytes bytes = NiftiHeaderBytes(1000, 1000, 1000);
  PutAt<short>(&bytes, kDatatype, 64);
  PutAt<short>(&bytes, kBitpix, 64);
  const std::int64_t before = PeakMemoryBytes();
  EXPECT_THAT(Read(bytes).status().message(),
              HasSubstr("announces 8000000352 bytes, but a file of its size holds at most 352"));
  const Bytes packed = Gzip(bytes);
  EXPECT_THAT(Read(packed, "a.nii.gz").status().message(), HasSubstr("announces 8000000352 bytes"));
  EXPECT_FALSE(ReadLabels(folder_ / "a.nii.gz").ok());
  PutAt<short>(&bytes, kDim + 6, 2000);
  EXPECT_THAT(Read(bytes).status().message(), HasSubstr("more than the 1073741824 that are read"));
  EXPECT_LT(PeakMemoryBytes() - before, 50 << 20);
}

TEST_F(HostileNiftiTest, AGzipThatCouldHoldTheVoxelsButDoesNotTakesOnlyWhatArrives) {
  Bytes bytes = NiftiHeaderBytes(500, 500, 500);  // 0.5 GB announced
  bytes.resize(bytes.size() + (4 << 20));         // 4 MiB there
  Bytes packed = Gzip(bytes);
  packed.resize(packed.size() + 600000, 0);  // garbage makes the file large enough to be believed at first
  const std::int64_t before = PeakMemoryBytes();
  const StatusOr<Image> image = Read(packed, "a.nii.gz");
  EXPECT_THAT(image.status().message(), HasSubstr("cut off"));
  EXPECT_LT(PeakMemoryBytes() - before, 100 << 20);
}

TEST_F(HostileNiftiTest, EveryTruncationIsRefused) {
  const Bytes plain = GoodFile(), packed = Gzip(plain);
  for (std::size_t size = 0; size < plain.size(); ++size) {
    const StatusOr<Image> image = Read(Bytes(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(size)));
    ASSERT_FALSE(image.ok()) << size;
    ASSERT_EQ(image.code(), StatusCode::kInvalidArgument) << size << image.status();
  }
  for (std::size_t size = 0; size < packed.size(); ++size) {
    const StatusOr<Image> image =
        Read(Bytes(packed.begin(), packed.begin() + static_cast<std::ptrdiff_t>(size)), "a.nii.gz");
    ASSERT_FALSE(image.ok()) << size;
    ASSERT_EQ(image.code(), StatusCode::kInvalidArgument) << size << image.status();
  }
}

TEST_F(HostileNiftiTest, EveryFlippedHeaderBitIsRefusedOrHarmless) {
  const Bytes good = GoodFile();
  for (std::size_t bit = 0; bit < 352 * 8; ++bit) {
    Bytes bytes = good;
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    const StatusOr<Image> image = Read(bytes);
    if (!image.ok()) {
      EXPECT_EQ(image.code(), StatusCode::kInvalidArgument) << bit;
      continue;
    }
    EXPECT_EQ(image->voxels.size(), static_cast<std::size_t>(VoxelCount(image->shape))) << bit;
    if (bit % 32 != 0) continue;  // writing syncs the disk: a few are enough
    const Status rewritten = WriteImage(folder_ / "b.nii", *image);
    ASSERT_TRUE(rewritten.ok()) << bit << rewritten;
    EXPECT_TRUE(ReadImage(folder_ / "b.nii").ok()) << bit << ": what was read must be writable and readable";
  }
}

TEST_F(HostileNiftiTest, AFlippedByteOfACompressedFileNeverGivesOtherVoxels) {
  const Bytes packed = Gzip(GoodFile());
  const std::vector<float> expected = Read(packed, "a.nii.gz")->voxels;
  int refused = 0;
  for (std::size_t at = 0; at < packed.size(); ++at) {
    Bytes bytes = packed;
    bytes[at] ^= 0x55;
    const StatusOr<Image> image = Read(bytes, "a.nii.gz");
    if (image.ok()) {
      EXPECT_EQ(image->voxels, expected) << at;  // a time stamp or the like in gzip's header
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, static_cast<int>(packed.size()) - 10);
}

// zlib hands large blocks out before it has seen the checksum behind them.
TEST_F(HostileNiftiTest, TheChecksumBehindALargeVolumeIsVerified) {
  Bytes bytes = NiftiHeaderBytes(64, 64, 16);
  std::vector<float> voxels(64 * 64 * 16);
  for (std::size_t i = 0; i < voxels.size(); ++i) voxels[i] = static_cast<float>(i * 2654435761U % 1009);
  AppendVoxels(&bytes, voxels);
  const Bytes packed = Gzip(bytes);
  ASSERT_TRUE(Read(packed, "a.nii.gz").ok());
  for (std::size_t from_end = 1; from_end <= 8; ++from_end) {
    Bytes flipped = packed;
    flipped[packed.size() - from_end] ^= 1;
    EXPECT_THAT(Read(flipped, "a.nii.gz").status().message(), HasSubstr("damaged")) << from_end;
    const Bytes cut(packed.begin(), packed.end() - static_cast<std::ptrdiff_t>(from_end));
    EXPECT_THAT(Read(cut, "a.nii.gz").status().message(), HasSubstr("cut off")) << from_end;
  }
}

TEST_F(HostileNiftiTest, NoiseIsRefused) {
  constexpr std::uint64_t kSeed = 20261121;
  SCOPED_TRACE(kSeed);
  Rng rng(kSeed);
  for (int i = 0; i < 200; ++i) {
    Bytes bytes(rng.Below(2000));
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.NextU32());
    if (i % 2 == 0 && bytes.size() > 348) {  // past the first checks
      PutAt<int>(&bytes, kSizeofHdr, 348);
      std::memcpy(bytes.data() + kMagic, "n+1", 4);
    }
    EXPECT_FALSE(Read(bytes).ok());
    EXPECT_FALSE(Read(bytes, "a.nii.gz").ok());
  }
}

TEST_F(HostileNiftiTest, LabelsThatAreNoLabelsAreRefusedWithTheVoxel) {
  for (const float value : {0.5F, kNan, 40000.0F, -kInfinity}) {
    Bytes bytes = NiftiHeaderBytes(3, 2, 2);
    std::vector<float> voxels(12, 1.0F);
    voxels[10] = value;  // z 1, y 1, x 1
    AppendVoxels(&bytes, voxels);
    const StatusOr<LabelMap> labels = ReadLabels(WriteBytes(folder_ / "a.nii", bytes));
    EXPECT_THAT(labels.status().message(), HasSubstr(Concat("(z 1, y 1, x 1) is ", value)));
    EXPECT_EQ(labels.code(), StatusCode::kInvalidArgument);
  }
}

TEST_F(HostileNiftiTest, WhatIsNoFileIsRefusedWithoutWaiting) {
  EXPECT_EQ(ReadImage(folder_ / "missing.nii.gz").code(), StatusCode::kNotFound);
  fs::create_directory(folder_ / "folder.nii");
  EXPECT_THAT(ReadImage(folder_ / "folder.nii").status().message(), HasSubstr("not a regular file"));
  ASSERT_EQ(::mkfifo((folder_ / "pipe.nii").c_str(), 0600), 0);
  EXPECT_THAT(ReadImage(folder_ / "pipe.nii").status().message(), HasSubstr("not a regular file"));
  EXPECT_THAT(ReadImage(folder_ / "a.dcm").status().message(), HasSubstr("unknown kind of image"));
}

}  // namespace
}  // namespace consilium::datasets
