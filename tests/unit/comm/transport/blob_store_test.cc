#include "comm/transport/blob_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "comm/base/entropy.h"
#include "comm/base/file.h"
#include "tests/testing/run_program.h"

namespace consilium::transport {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kChunk = wire::kChunkBytes;

class BlobStoreTest : public ::testing::Test {
 protected:
  BlobStoreTest() {
    SeededEntropy(11).Fill(content_);
    CONSILIUM_CHECK(WriteFileAtomic(file_, content_).ok());
    manifest_ = wire::ManifestOfFile(file_).value();
    store_ = BlobStore::Open(folder_).value();
  }
  ByteSpan Chunk(std::size_t i) const {
    return ByteSpan(content_).subspan(i * kChunk, std::min(kChunk, content_.size() - i * kChunk));
  }
  // What a receiver leaves that dies after `chunks`.
  void LeavePart(std::size_t chunks) {
    auto receiver = store_->Receive(manifest_).value();
    for (std::size_t i = 0; i < chunks; ++i) ASSERT_TRUE(receiver->Append(Chunk(i)).ok());
  }
  std::filesystem::path part() const { return store_->PathOf(manifest_.digest).string() + ".part"; }

  consilium::testing::ScratchFolder scratch_;
  const std::filesystem::path folder_ = scratch_ / "store", file_ = scratch_ / "file";
  Bytes content_ = Bytes(3 * kChunk + 5);
  wire::BlobManifest manifest_;
  std::unique_ptr<BlobStore> store_;
};

TEST_F(BlobStoreTest, TheFolderIsForItsOwnerAlone) {
  struct stat info {};
  ASSERT_EQ(::stat(folder_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(BlobStoreTest, AnImportedFileIsThereUnderItsDigestAndSurvivesItsSource) {
  EXPECT_EQ(store_->Import(file_).value(), manifest_);
  EXPECT_EQ(store_->Import(file_).value(), manifest_);  // again is fine
  std::filesystem::remove(file_);
  EXPECT_TRUE(store_->Has(manifest_.digest));
  EXPECT_EQ(wire::ManifestOfFile(store_->PathOf(manifest_.digest)).value().digest, manifest_.digest);
  EXPECT_EQ(store_->BytesUsed(), content_.size());
}

TEST_F(BlobStoreTest, ABlobReceivedChunkByChunkIsThereOnlyAfterFinish) {
  auto receiver = store_->Receive(manifest_).value();
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(receiver->chunks_done(), i);
    EXPECT_EQ(receiver->Finish().code(), StatusCode::kFailedPrecondition);
    ASSERT_TRUE(receiver->Append(Chunk(i)).ok());
    EXPECT_FALSE(store_->Has(manifest_.digest));
  }
  EXPECT_EQ(receiver->Append(Chunk(0)).code(), StatusCode::kDataLoss);  // one too many
  ASSERT_TRUE(receiver->Finish().ok());
  EXPECT_TRUE(store_->Has(manifest_.digest));
  EXPECT_FALSE(std::filesystem::exists(part()));
  EXPECT_EQ(wire::ManifestOfFile(store_->PathOf(manifest_.digest)).value().digest, manifest_.digest);
  EXPECT_EQ(store_->Receive(manifest_).code(), StatusCode::kAlreadyExists);
}

TEST_F(BlobStoreTest, EveryFlippedBitAndEveryWrongSizeOfAChunkIsRefusedAndNotKept) {
  auto receiver = store_->Receive(manifest_).value();
  ASSERT_TRUE(receiver->Append(Chunk(0)).ok());
  Bytes chunk(Chunk(1).begin(), Chunk(1).end());
  for (std::size_t bit = 0; bit < 8 * kChunk; bit += 999'983) {
    chunk[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    const Status status = receiver->Append(chunk);
    EXPECT_EQ(status.code(), StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), HasSubstr("chunk 2 of 4"));
    chunk[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
  }
  EXPECT_EQ(receiver->Append({}).code(), StatusCode::kDataLoss);
  Bytes longer(chunk);
  longer.push_back(0);
  EXPECT_EQ(receiver->Append(longer).code(), StatusCode::kDataLoss);
  EXPECT_EQ(std::filesystem::file_size(part()), kChunk);
  EXPECT_TRUE(receiver->Append(chunk).ok());  // the right one still fits
}

TEST_F(BlobStoreTest, AChunkComesInPiecesAndCountsWhenItsLastOneIsVerified) {
  auto receiver = store_->Receive(manifest_).value();
  for (const std::size_t piece : {std::size_t{4099}, kChunk / 3, kChunk - 1, kChunk}) {
    for (std::size_t i = 0; i < 4; ++i) {
      for (ByteSpan chunk = Chunk(i); !chunk.empty();) {
        const ByteSpan part = chunk.first(std::min(chunk.size(), piece));
        EXPECT_EQ(receiver->chunks_done(), i);
        ASSERT_TRUE(receiver->Append(part).ok());
        chunk = chunk.subspan(part.size());
      }
      EXPECT_EQ(receiver->chunks_done(), i + 1);
    }
    EXPECT_EQ(receiver->bytes_done(), content_.size());
    ASSERT_TRUE(receiver->Finish().ok());
    receiver.reset();
    EXPECT_EQ(wire::ManifestOfFile(store_->PathOf(manifest_.digest)).value().digest, manifest_.digest);
    ASSERT_TRUE(store_->Remove(manifest_.digest).ok());
    receiver = store_->Receive(manifest_).value();
  }
}

TEST_F(BlobStoreTest, ADamagedPieceCostsItsChunkAndAHalfReceivedChunkIsNotKept) {
  auto receiver = store_->Receive(manifest_).value();
  ASSERT_TRUE(receiver->Append(Chunk(0)).ok());
  Bytes damaged(Chunk(1).begin(), Chunk(1).begin() + 100);
  damaged[50] ^= 1;
  ASSERT_TRUE(receiver->Append(damaged).ok());  // nobody can tell yet
  EXPECT_EQ(receiver->Append(Chunk(1).subspan(100)).code(), StatusCode::kDataLoss);
  EXPECT_EQ(receiver->bytes_done(), kChunk);
  EXPECT_EQ(std::filesystem::file_size(part()), kChunk);
  ASSERT_TRUE(receiver->Append(Chunk(1).first(100)).ok());
  ASSERT_TRUE(receiver->Append(Chunk(1).subspan(100)).ok());
  ASSERT_TRUE(receiver->Append(Chunk(2).first(100)).ok());
  receiver.reset();
  receiver = store_->Receive(manifest_).value();
  EXPECT_EQ(receiver->bytes_done(), 2 * kChunk);
  EXPECT_EQ(std::filesystem::file_size(part()), 2 * kChunk);
}

TEST_F(BlobStoreTest, ReceivingGoesOnAfterTheChunksThatArePresent) {
  LeavePart(2);
  auto receiver = store_->Receive(manifest_).value();
  EXPECT_EQ(receiver->chunks_done(), 2u);
  ASSERT_TRUE(receiver->Append(Chunk(2)).ok());
  ASSERT_TRUE(receiver->Append(Chunk(3)).ok());
  ASSERT_TRUE(receiver->Finish().ok());
  EXPECT_EQ(wire::ManifestOfFile(store_->PathOf(manifest_.digest)).value().digest, manifest_.digest);
}

TEST_F(BlobStoreTest, AHalfWrittenOrDamagedPartCostsOnlyTheChunksFromThereOn) {
  struct Damage {
    std::uintmax_t size;      // that the part is cut or stretched to
    std::int64_t flipped_at;  // -1: nothing
    std::size_t chunks_left;
  };
  for (const Damage& damage : {Damage{2 * kChunk - 1, -1, 1}, Damage{2 * kChunk + 7, -1, 2}, Damage{2 * kChunk, 3, 0},
                               Damage{2 * kChunk, kChunk + 3, 1}, Damage{10 * kChunk, -1, 2}, Damage{0, -1, 0}}) {
    LeavePart(2);
    std::filesystem::resize_file(part(), damage.size);
    if (damage.flipped_at >= 0) {
      const int descriptor = ::open(part().c_str(), O_WRONLY);
      const std::uint8_t other = content_[static_cast<std::size_t>(damage.flipped_at)] ^ 1;
      ASSERT_EQ(::pwrite(descriptor, &other, 1, damage.flipped_at), 1);
      ::close(descriptor);
    }
    EXPECT_EQ(store_->Receive(manifest_).value()->chunks_done(), damage.chunks_left) << damage.size;
    EXPECT_EQ(std::filesystem::file_size(part()), damage.chunks_left * kChunk);
    ASSERT_TRUE(store_->Remove(manifest_.digest).ok());
  }
}

TEST_F(BlobStoreTest, OneReceiverAtATime) {
  auto receiver = store_->Receive(manifest_).value();
  EXPECT_EQ(store_->Receive(manifest_).code(), StatusCode::kUnavailable);
  receiver.reset();
  EXPECT_TRUE(store_->Receive(manifest_).ok());
}

TEST_F(BlobStoreTest, AManifestThatContradictsItselfIsRefused) {
  wire::BlobManifest lie = manifest_;
  lie.chunks.pop_back();
  EXPECT_EQ(store_->Receive(lie).code(), StatusCode::kDataLoss);
  lie = manifest_;
  lie.digest = Sha256Of("something else");
  EXPECT_EQ(store_->Receive(lie).code(), StatusCode::kDataLoss);
  lie = manifest_;
  lie.chunks[2] = lie.chunks[1];
  EXPECT_EQ(store_->Receive(lie).code(), StatusCode::kDataLoss);
  lie = manifest_;
  lie.bytes = wire::kBlobBytesMax + 1;
  EXPECT_EQ(store_->Receive(lie).code(), StatusCode::kDataLoss);
  EXPECT_EQ(store_->BytesUsed(), 0u);
}

TEST_F(BlobStoreTest, AFullDiskIsAStorageErrorAndTheChunkCanBeSentAgain) {
  auto receiver = store_->Receive(manifest_).value();
  ASSERT_TRUE(receiver->Append(Chunk(0)).ok());
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit full{kChunk + 4096, before.rlim_max};
  ::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &full);
  const Status status = receiver->Append(Chunk(1));
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(status.code(), StatusCode::kStorage);
  EXPECT_THAT(status.message(), HasSubstr(".part"));
  EXPECT_EQ(std::filesystem::file_size(part()), kChunk);
  EXPECT_TRUE(receiver->Append(Chunk(1)).ok());
}

TEST_F(BlobStoreTest, RetainOnlyKeepsWhatIsNamedBeingReceivedOrNotOurs) {
  const Digest kept = store_->Import(file_).value().digest;
  wire::BlobManifest left = manifest_, receiving = manifest_;
  left.chunks[3] = Sha256Of("left");
  left.digest = wire::DigestOfChunks(left);
  receiving.chunks[3] = Sha256Of("receiving");
  receiving.digest = wire::DigestOfChunks(receiving);
  ASSERT_TRUE(store_->Receive(left).value()->Append(Chunk(0)).ok());
  const auto receiver = store_->Receive(receiving).value();
  ASSERT_TRUE(WriteFileAtomic(folder_ / "README", "a person's note").ok());
  ASSERT_TRUE(store_->RetainOnly({kept}).ok());
  EXPECT_TRUE(store_->Has(kept));
  EXPECT_FALSE(std::filesystem::exists(store_->PathOf(left.digest).string() + ".part"));
  EXPECT_TRUE(std::filesystem::exists(store_->PathOf(receiving.digest).string() + ".part"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "README"));
  ASSERT_TRUE(store_->RetainOnly({}).ok());
  EXPECT_FALSE(store_->Has(kept));
}

TEST_F(BlobStoreTest, ABlobThatLostItsBytesInACrashOfTheMachineIsGoneAfterTheReboot) {
  const Digest digest = store_->Import(file_).value().digest;
  const Digest whole = [&] {
    const auto other = scratch_ / "other";
    CONSILIUM_CHECK(WriteFileAtomic(other, "whole").ok());
    return store_->Import(other).value().digest;
  }();
  std::filesystem::remove(file_);
  std::filesystem::resize_file(store_->PathOf(digest), 0);
  EXPECT_TRUE(BlobStore::Open(folder_).value()->Has(digest));  // the same boot: not read again
  ASSERT_TRUE(WriteFileAtomic(folder_ / ".boot", "the boot before").ok());
  const auto reopened = BlobStore::Open(folder_).value();
  EXPECT_FALSE(reopened->Has(digest));
  EXPECT_TRUE(reopened->Has(whole));
}

}  // namespace
}  // namespace consilium::transport
