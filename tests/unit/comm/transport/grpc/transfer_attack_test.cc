// Blobs that are not what they claim to be, and transfers that break: refused with the chunk's number, nothing wrong is
// stored, nobody else is disturbed, and what was verified is not sent again.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "comm/base/file.h"
#include "comm/wire/upload.h"
#include "tests/unit/comm/transport/grpc/rig.h"

namespace consilium::transport::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::size_t kBytes = 4 * wire::kChunkBytes + 1000;  // 5 chunks

v1::UploadPart OfferPart(const wire::UploadOffer& offer) {
  v1::UploadPart part;
  const Bytes bytes = wire::Encode(offer);
  part.set_offer(bytes.data(), bytes.size());
  return part;
}

v1::UploadPart ChunkPart(const std::string& content, std::uint32_t index) {
  v1::UploadPart part;
  part.mutable_piece()->set_offset(std::uint64_t{index} * wire::kChunkBytes);
  part.mutable_piece()->set_data(content.substr(std::size_t{index} * wire::kChunkBytes, wire::kChunkBytes));
  return part;
}

// Uploads with our own hands, so that it can be done wrong.
grpc::Status UploadParts(Rig* rig, const std::string& site, const std::vector<v1::UploadPart>& parts) {
  const auto stub = rig->Stub(rig->parties().tls(site));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  v1::UploadResult result;
  const auto stream = stub->Upload(&context, &result);
  for (const v1::UploadPart& part : parts)
    if (!stream->Write(part)) break;
  stream->WritesDone();
  return stream->Finish();
}

struct Subject {
  explicit Subject(Rig* rig)
      : path(rig->MakeFile("subject", kBytes, 5)),
        content(ReadFile(path).value()),
        manifest(wire::ManifestOfFile(path).value()) {}
  std::filesystem::path path;
  std::string content;
  wire::BlobManifest manifest;
  v1::UploadPart offer() const { return OfferPart({AnyTask(), manifest}); }
};

void Flip(const std::filesystem::path& file, std::size_t offset) {
  const int descriptor = ::open(file.c_str(), O_RDWR);
  char byte = 0;
  ASSERT_EQ(::pread(descriptor, &byte, 1, static_cast<off_t>(offset)), 1);
  byte ^= 1;
  ASSERT_EQ(::pwrite(descriptor, &byte, 1, static_cast<off_t>(offset)), 1);
  ::close(descriptor);
}

TEST(TransferAttack, AFlippedBitInAnUploadIsRefusedWithTheChunksNumber) {
  Rig rig;
  const auto other = rig.Connect("beta");
  const Subject subject(&rig);
  v1::UploadPart flipped = ChunkPart(subject.content, 2);
  flipped.mutable_piece()->mutable_data()->at(777) ^= 0x10;
  const grpc::Status status = UploadParts(
      &rig, "alpha", {subject.offer(), ChunkPart(subject.content, 0), ChunkPart(subject.content, 1), flipped});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_THAT(status.error_message(), HasSubstr("chunk 3 of 5 does not have the digest"));
  EXPECT_FALSE(rig.blobs().Has(subject.manifest.digest));
  EXPECT_THAT(rig.log(), AllOf(HasSubstr("site=alpha"), HasSubstr("chunk 3 of 5"), HasSubstr("event=upload_failed"),
                               HasSubstr("heart-1/round 3.0"), HasSubstr("2 of 5 chunks received")));
  rig.ExpectWorks(other.get());

  // The honest second try sends the other three.
  const auto alpha = rig.Connect("alpha");
  std::vector<std::uint64_t> sent;
  EXPECT_TRUE(IsOk(alpha->transport->Upload(AnyTask(), subject.manifest, subject.path,
                                            [&](std::uint64_t done, std::uint64_t) { sent.push_back(done); })));
  EXPECT_EQ(sent.size(), 3u);
  EXPECT_EQ(wire::ManifestOfFile(rig.blobs().PathOf(subject.manifest.digest)).value().digest, subject.manifest.digest);
}

TEST(TransferAttack, AnEmptyALongAndAMisplacedPieceAreRefused) {
  Rig rig;
  const auto other = rig.Connect("beta");
  const Subject subject(&rig);
  v1::UploadPart overlapping = ChunkPart(subject.content, 0), prolonged = overlapping, empty = overlapping;
  overlapping.mutable_piece()->set_offset(7);
  prolonged.mutable_piece()->mutable_data()->push_back('x');
  empty.mutable_piece()->clear_data();
  const std::pair<v1::UploadPart, std::string> cases[] = {
      {overlapping, "bytes from 7 on came where bytes from 0 on were expected"},
      {prolonged, "1048577 bytes came for chunk 1 of 5, of which 1048576 are missing"},
      {empty, "0 bytes came for chunk 1 of 5"},
      {ChunkPart(subject.content, 1), "bytes from 1048576 on came where bytes from 0 on were expected"},
      {v1::UploadPart(), "0 bytes came for chunk 1 of 5"},
  };
  for (const auto& [part, reason] : cases) {
    const grpc::Status status = UploadParts(&rig, "alpha", {subject.offer(), part});
    EXPECT_EQ(status.error_code(), grpc::StatusCode::DATA_LOSS) << reason;
    EXPECT_THAT(status.error_message(), HasSubstr(reason));
    EXPECT_THAT(rig.log(), HasSubstr(reason));
  }
  EXPECT_EQ(rig.blobs().BytesUsed(), 0u);
  rig.ExpectWorks(other.get());
}

TEST(TransferAttack, AnUploadThatEndsEarlyKeepsWhatWasVerified) {
  Rig rig;
  const Subject subject(&rig);
  const grpc::Status status = UploadParts(&rig, "alpha", {subject.offer(), ChunkPart(subject.content, 0)});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("broke off"));
  EXPECT_FALSE(rig.blobs().Has(subject.manifest.digest));
  EXPECT_EQ(rig.blobs().Receive(subject.manifest).value()->chunks_done(), 1u);
}

TEST(TransferAttack, AManifestOf10GigabytesIsRefusedBeforeAnythingIsStored) {
  Rig rig;
  const auto other = rig.Connect("beta");
  wire::BlobManifest huge;
  huge.bytes = std::uint64_t{10} << 30;
  huge.chunks.resize(huge.bytes / wire::kChunkBytes);
  const grpc::Status honest = UploadParts(&rig, "alpha", {OfferPart({AnyTask(), huge})});
  EXPECT_EQ(honest.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(honest.error_message(),
              HasSubstr("10737418240 bytes was announced; this coordinator accepts at most 2147483648"));
  EXPECT_THAT(rig.log(), HasSubstr("10737418240 bytes was announced"));
  huge.chunks.resize(1);
  const grpc::Status lying = UploadParts(&rig, "alpha", {OfferPart({AnyTask(), huge})});
  EXPECT_EQ(lying.error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_THAT(lying.error_message(), HasSubstr("lists 1 chunks, expected 10240"));
  huge.bytes = ~std::uint64_t{0};
  EXPECT_EQ(UploadParts(&rig, "alpha", {OfferPart({AnyTask(), huge})}).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(rig.events().uploads_asked(), 0u);
  EXPECT_EQ(rig.blobs().BytesUsed(), 0u);
  rig.ExpectWorks(other.get());

  // Our own client hears it too, from UploadStatus.
  const auto alpha = rig.Connect("alpha");
  huge.bytes = std::uint64_t{10} << 30;
  huge.chunks.resize(huge.bytes / wire::kChunkBytes);
  const Status status = alpha->transport->Upload(AnyTask(), huge, Subject(&rig).path, nullptr);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
}

TEST(TransferAttack, AManifestThatContradictsItselfNeverGetsItsName) {
  Rig rig;
  const Subject subject(&rig);
  wire::BlobManifest lie = subject.manifest;
  lie.digest = Sha256Of("another model");
  std::vector<v1::UploadPart> parts = {OfferPart({AnyTask(), lie})};
  for (std::uint32_t i = 0; i < 5; ++i) parts.push_back(ChunkPart(subject.content, i));
  const grpc::Status status = UploadParts(&rig, "alpha", parts);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_THAT(status.error_message(), HasSubstr("its manifest is wrong"));
  EXPECT_FALSE(rig.blobs().Has(lie.digest));
  EXPECT_EQ(rig.blobs().BytesUsed(), 0u);
}

TEST(TransferAttack, OffersOfRandomBytesAreRefused) {
  Rig rig;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Bytes noise(seed * 50);
    SeededEntropy(seed).Fill(noise);
    v1::UploadPart part;
    part.set_offer(noise.data(), noise.size());
    EXPECT_EQ(UploadParts(&rig, "alpha", {part}).error_code(), grpc::StatusCode::DATA_LOSS) << "seed " << seed;
  }
  EXPECT_EQ(rig.events().uploads_asked(), 0u);
}

TEST(TransferAttack, ADamagedModelAtTheCoordinatorIsNoticedWithTheChunksNumber) {
  Rig rig;
  const Subject subject(&rig);
  const auto copy = rig.MakeFile("damaged", kBytes, 5);
  const wire::BlobManifest manifest = rig.blobs().Import(copy).value();
  Flip(rig.blobs().PathOf(manifest.digest), 3 * wire::kChunkBytes + 5);
  const auto alpha = rig.Connect("alpha"), beta = rig.Connect("beta");
  const Status flipped = alpha->transport->Fetch(manifest, nullptr);
  EXPECT_EQ(flipped.code(), StatusCode::kDataLoss);
  EXPECT_THAT(flipped.message(), HasSubstr("chunk 4 of 5 does not have the digest"));
  EXPECT_FALSE(alpha->blobs->Has(manifest.digest));

  Flip(rig.blobs().PathOf(manifest.digest), 3 * wire::kChunkBytes + 5);
  ASSERT_EQ(::truncate(rig.blobs().PathOf(manifest.digest).c_str(), kBytes - 1), 0);
  const Status truncated = alpha->transport->Fetch(manifest, nullptr);
  EXPECT_EQ(truncated.code(), StatusCode::kDataLoss);
  EXPECT_THAT(truncated.message(), HasSubstr("only 4 of 5 chunks"));

  ASSERT_EQ(::truncate(rig.blobs().PathOf(manifest.digest).c_str(), 2 * wire::kChunkBytes), 0);
  const Status short_by_chunks = beta->transport->Fetch(manifest, nullptr);
  EXPECT_EQ(short_by_chunks.code(), StatusCode::kDataLoss);
  EXPECT_THAT(short_by_chunks.message(), HasSubstr("only 2 of 5 chunks"));
  rig.ExpectWorks(beta.get());
  rig.ExpectWorks(alpha.get());
}

TEST(TransferAttack, AFileThatChangedAfterItsManifestIsRefusedByTheCoordinator) {
  Rig rig;
  const Subject subject(&rig);
  Flip(subject.path, 10);
  const auto alpha = rig.Connect("alpha");
  const Status status = alpha->transport->Upload(AnyTask(), subject.manifest, subject.path, nullptr);
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("chunk 1 of 5"));
}

}  // namespace
}  // namespace consilium::transport::testing
