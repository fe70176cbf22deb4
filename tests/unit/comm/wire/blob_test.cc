#include "comm/wire/blob.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/base/entropy.h"
#include "comm/base/file.h"
#include "tests/testing/run_program.h"

namespace consilium::wire {
namespace {

using ::testing::HasSubstr;

Bytes Encoded(const BlobManifest& manifest) {
  ByteWriter writer;
  Encode(manifest, &writer);
  return std::move(writer).Take();
}

StatusOr<BlobManifest> Decoded(ByteSpan bytes) {
  ByteReader reader(bytes);
  BlobManifest manifest = DecodeManifest(&reader);
  RETURN_IF_ERROR(reader.Finish());
  return manifest;
}

TEST(BlobTest, AManifestCoversTheFileInChunksOfOneMebibyte) {
  const consilium::testing::ScratchFolder scratch;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{kChunkBytes} - 1, std::size_t{kChunkBytes},
                                 std::size_t{kChunkBytes} + 1, std::size_t{3} * kChunkBytes}) {
    Bytes content(size);
    SeededEntropy(size).Fill(content);
    ASSERT_TRUE(WriteFileAtomic(scratch / "file", content).ok());
    const BlobManifest manifest = ManifestOfFile(scratch / "file").value();
    EXPECT_EQ(manifest.bytes, size);
    Bytes named(16 + sizeof(std::uint64_t));
    std::memcpy(named.data(), "consilium blob 1", 16);
    std::memcpy(named.data() + 16, &manifest.bytes, sizeof manifest.bytes);
    for (const Digest& chunk : manifest.chunks) named.insert(named.end(), chunk.bytes.begin(), chunk.bytes.end());
    EXPECT_EQ(manifest.digest, Sha256Of(named));
    ASSERT_EQ(manifest.chunks.size(), (size + kChunkBytes - 1) / kChunkBytes);
    for (std::size_t i = 0; i < manifest.chunks.size(); ++i)
      EXPECT_EQ(manifest.chunks[i], Sha256Of(ByteSpan(content)
                                                 .subspan(i * kChunkBytes)
                                                 .first(std::min<std::size_t>(kChunkBytes, size - i * kChunkBytes))));
    EXPECT_TRUE(CheckManifest(manifest).ok());
    EXPECT_EQ(Decoded(Encoded(manifest)).value(), manifest);
  }
}

TEST(BlobTest, AFileThatCannotBeReadIsNamed) {
  const auto manifest = ManifestOfFile("/nonexistent/model");
  EXPECT_EQ(manifest.code(), StatusCode::kNotFound);
  EXPECT_THAT(manifest.status().message(), HasSubstr("/nonexistent/model"));
  EXPECT_FALSE(ManifestOfFile("/").ok());
}

TEST(BlobTest, ANumberOfChunksThatDoesNotFitTheBytesIsDataLoss) {
  BlobManifest manifest{.bytes = 2 * std::uint64_t{kChunkBytes} + 1, .chunks = std::vector<Digest>(3)};
  EXPECT_TRUE(CheckManifest(manifest).ok());
  for (const std::size_t count : {0, 1, 2, 4}) {
    manifest.chunks.resize(count);
    EXPECT_EQ(CheckManifest(manifest).code(), StatusCode::kDataLoss);
    EXPECT_EQ(Decoded(Encoded(manifest)).code(), StatusCode::kDataLoss);
  }
}

TEST(BlobTest, SizesBeyondTheLimitAreDataLossWhateverTheyOverflow) {
  for (const std::uint64_t bytes : {kBlobBytesMax + 1, ~std::uint64_t{0}, ~std::uint64_t{0} - kChunkBytes + 2}) {
    const BlobManifest manifest{.bytes = bytes};
    EXPECT_EQ(CheckManifest(manifest).code(), StatusCode::kDataLoss) << bytes;
    EXPECT_EQ(Decoded(Encoded(manifest)).code(), StatusCode::kDataLoss);
  }
}

TEST(BlobTest, EveryTruncationOfAManifestIsAnError) {
  const Bytes bytes = Encoded({.bytes = 2 * std::uint64_t{kChunkBytes}, .chunks = std::vector<Digest>(2)});
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(Decoded(ByteSpan(bytes).first(size)).ok()) << size;
}

}  // namespace
}  // namespace consilium::wire
