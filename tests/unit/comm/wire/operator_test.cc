#include "comm/wire/operator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/base/rng.h"

namespace consilium::wire {
namespace {

BlobManifest AnyManifest() {
  BlobManifest manifest;
  manifest.digest = Sha256Of("whole");
  manifest.bytes = kChunkBytes + 5;
  manifest.chunks = {Sha256Of("first"), Sha256Of("second")};
  return manifest;
}

std::vector<OperatorRequest> AllRequests() {
  return {Ping{},
          SubmitJob{"{\"name\": \"heart\"}", AnyManifest(), -3},
          PutChunk{Sha256Of("model"), 7, std::string("a\0b", 3)},
          ListJobs{},
          DescribeJob{JobId("heart")},
          ExplainJob{JobId("heart")},
          AbortJob{JobId("heart"), "a wrong label"},
          ReadLog{JobId("heart"), 1234567890123, 20000},
          OfferFile{JobId("heart"), "model"},
          GetChunk{JobId("heart"), "model", Sha256Of("x"), 3},
          PauseJob{JobId("heart")},
          ResumeJob{JobId("heart")}};
}

std::vector<OperatorReply> AllReplies() {
  return {Pong{1, 2, "0.1.0", "consortium", "spiffe://heart/operator/ann/view"},
          SubmitReply{SubmitState::kModelWanted, 4, "queued"},
          ChunkTaken{9},
          Document{"{}"},
          LogPart{"{}\n{}\n", 6, true},
          FileOffer{"model_final.safetensors", AnyManifest()},
          FileChunk{std::string("\0\1\2", 3)}};
}

TEST(OperatorCodec, EveryMessageReadsBackAndItsBytesAreCanonical) {
  for (const OperatorRequest& request : AllRequests()) {
    const Bytes bytes = Encode(request);
    const auto decoded = DecodeOperatorRequest(bytes);
    ASSERT_TRUE(decoded.ok()) << RequestName(request) << ": " << decoded.status();
    EXPECT_EQ(*decoded, request);
    EXPECT_EQ(Encode(*decoded), bytes);
  }
  for (const OperatorReply& reply : AllReplies()) {
    const auto decoded = DecodeOperatorReply(Encode(reply));
    ASSERT_TRUE(decoded.ok()) << reply.index() << ": " << decoded.status();
    EXPECT_EQ(*decoded, reply);
  }
}

TEST(OperatorCodec, EveryTruncationAndEveryByteTooManyIsAnError) {
  const auto expect_whole_only = [](const Bytes& bytes, const auto& decode) {
    for (std::size_t size = 0; size < bytes.size(); ++size)
      EXPECT_EQ(decode(ByteSpan(bytes).first(size)).code(), StatusCode::kDataLoss) << size << " of " << bytes.size();
    Bytes longer = bytes;
    longer.push_back(0);
    EXPECT_EQ(decode(ByteSpan(longer)).code(), StatusCode::kDataLoss);
  };
  for (const OperatorRequest& request : AllRequests())
    expect_whole_only(Encode(request), [](ByteSpan bytes) { return DecodeOperatorRequest(bytes); });
  for (const OperatorReply& reply : AllReplies())
    expect_whole_only(Encode(reply), [](ByteSpan bytes) { return DecodeOperatorReply(bytes); });
}

TEST(OperatorCodec, AnyBytesGiveAMessageThatEncodesBackOrAnError) {
  constexpr std::uint64_t kSeed = 20261121;
  SCOPED_TRACE(kSeed);
  Rng rng(kSeed);
  std::vector<Bytes> seeds;
  for (const OperatorRequest& request : AllRequests()) seeds.push_back(Encode(request));
  for (const OperatorReply& reply : AllReplies()) seeds.push_back(Encode(reply));
  for (int i = 0; i < 20000; ++i) {
    Bytes bytes = seeds[rng.Below(seeds.size())];
    for (std::uint64_t changes = 1 + rng.Below(3); changes > 0 && !bytes.empty(); --changes)
      bytes[rng.Below(bytes.size())] = static_cast<std::uint8_t>(rng.Below(256));
    if (const auto request = DecodeOperatorRequest(bytes); request.ok()) {
      EXPECT_EQ(Encode(*request), bytes);
    }
    if (const auto reply = DecodeOperatorReply(bytes); reply.ok()) {
      EXPECT_EQ(Encode(*reply), bytes);
    }
  }
}

TEST(OperatorCodec, NothingLargerThanItsLimitIsAccepted) {
  EXPECT_EQ(DecodeOperatorRequest(Bytes(kOperatorBytesMax + 1)).code(), StatusCode::kDataLoss);
  ByteWriter lying;
  lying.Put(std::uint8_t{2});  // PutChunk
  lying.PutRaw(Sha256Of("model").bytes);
  lying.Put(std::uint32_t{0});
  lying.Put(std::uint32_t{0xffffffff});  // bytes that are not there
  EXPECT_EQ(DecodeOperatorRequest(lying.bytes()).code(), StatusCode::kDataLoss);
  const std::string chunk(kChunkBytes, 'x');
  EXPECT_TRUE(DecodeOperatorRequest(Encode(OperatorRequest(PutChunk{{}, 0, chunk}))).ok());
  const auto cut = DecodeOperatorRequest(Encode(OperatorRequest(PutChunk{{}, 0, chunk + "y"})));
  EXPECT_EQ(std::get<PutChunk>(cut.value()).data, chunk);
}

}  // namespace
}  // namespace consilium::wire
