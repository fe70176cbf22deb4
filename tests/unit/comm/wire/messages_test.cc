#include "comm/wire/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "comm/base/rng.h"
#include "comm/wire/upload.h"
#include "comm/wire/worker.h"

namespace consilium::wire {
namespace {

using ::testing::HasSubstr;

BlobManifest Manifest(std::uint64_t bytes) {
  BlobManifest manifest{.digest = Sha256Of("blob"), .bytes = bytes};
  for (std::uint64_t at = 0; at < bytes; at += kChunkBytes) manifest.chunks.push_back(Sha256Of(Concat("chunk ", at)));
  return manifest;
}

const TaskKey kTask{JobId("hippocampus-1"), Round{7}, Attempt{2}, TaskKind::kEvaluate};
const TaskKey kCrossTask{JobId("hippocampus-1"), Round{7}, Attempt{0}, TaskKind::kValidate, "hospital-b"};
const Metrics kMetrics = {{"dice", 0.875}, {"loss", -0.0}, {"seconds", std::numeric_limits<double>::infinity()}};

std::vector<SiteMessage> SiteMessages() {
  return {Hello{.protocol_major = 1, .protocol_minor = 0, .build = "0.1.0", .instance = "abc"},
          Heartbeat{},
          Hello{.capability = {16, std::uint64_t{64} << 30, 2, "0.1.0, LibTorch 1.13.1", {"auxiliary", "validate"}}},
          Heartbeat{SitePhase::kUploading, kTask, 0.25, kMetrics},
          Heartbeat{.waiting = {kTask, TaskKey{}}, .upload_bytes_per_second = 1e6, .trouble = "the trainer died"},
          UpdateReady{kTask, Manifest(3 * kChunkBytes + 1), 208, kMetrics},
          EvaluationReport{kTask, kMetrics},
          TaskFailed{kTask, StatusCode::kStorage, "disk full"},
          SecureAnswer{kTask, 0, SecureStage::kReady, {}},
          SecureAnswer{kTask, 1, SecureStage::kReveal, {9}},
          SecureAnswer{kTask, 3, SecureStage::kVector, {1, 2, 255}, Manifest(kChunkBytes + 1)}};
}

std::vector<CoordinatorMessage> CoordinatorMessages() {
  return {Welcome{1, "coordinator", 1500},
          Task{kTask, R"({"name": "hippocampus"})", Manifest(kChunkBytes), 60'000},
          Task{kCrossTask, "{}", Manifest(1), 0, Manifest(kChunkBytes + 1)},
          Receipt{kTask, DropReason::kLate, "round 7 is closed"},
          Receipt{kTask, DropReason::kStale, "21 rounds old"},
          StandDown{kTask, "superseded"},
          JobEnded{JobId("j"), StatusCode::kCancelled, "aborted by admin"},
          Refusal{StatusCode::kFailedPrecondition, "too old"},
          SecureRequest{kTask, 1, SecureStage::kKeys, {7, 0}},
          SecureRequest{kTask, 2, SecureStage::kAbort, {}},
          SecureRequest{kTask, 1, SecureStage::kBeacon, {7}}};
}

std::vector<WorkerMessage> WorkerMessages() {
  return {WorkerHello{1, "0.1.0"}, WorkerProgress{kTask, 0.5, kMetrics}, WorkerDone{kTask, 208, kMetrics},
          WorkerFailed{kTask, StatusCode::kResourceExhausted, "out of memory"}};
}

std::vector<WorkerRequest> WorkerRequests() {
  return {WorkerTask{kTask, "{}", "/data", "/in", "/out", "/state", "/next", "/predictions"}, WorkerCancel{}};
}

std::vector<UploadOffer> UploadOffers() {
  std::vector<UploadOffer> offers(2);
  offers[1].task = kTask;
  offers[1].manifest = Manifest(5);
  return offers;
}

// Each kind of message with its decoder, under one roof for the claims that hold for all.
template <typename Message>
struct Kind {
  std::vector<Message> examples;
  std::function<StatusOr<Message>(ByteSpan)> decode;
};

// Greetings of a version that we do not know are read as far as we know them (versions_test.cc).
template <typename Message>
bool IsOfLaterVersion(const Message& message) {
  if constexpr (std::is_same_v<Message, SiteMessage>) {
    const auto* hello = std::get_if<Hello>(&message);
    return hello && (hello->protocol_major != kProtocolMajor || hello->protocol_minor > kProtocolMinor);
  } else if constexpr (std::is_same_v<Message, CoordinatorMessage>) {
    const auto* welcome = std::get_if<Welcome>(&message);
    return welcome && welcome->protocol_minor > kProtocolMinor;
  }
  return false;
}

template <typename Claim>
void ForEveryKind(const Claim& claim) {
  claim(Kind<SiteMessage>{SiteMessages(), [](ByteSpan bytes) { return DecodeSiteMessage(bytes); }});
  claim(
      Kind<CoordinatorMessage>{CoordinatorMessages(), [](ByteSpan bytes) { return DecodeCoordinatorMessage(bytes); }});
  claim(Kind<WorkerMessage>{WorkerMessages(), &DecodeWorkerMessage});
  claim(Kind<WorkerRequest>{WorkerRequests(), &DecodeWorkerRequest});
  claim(Kind<UploadOffer>{UploadOffers(), [](ByteSpan bytes) { return DecodeUploadOffer(bytes); }});
}

TEST(MessagesTest, DecodeAfterEncodeIsIdentity) {
  ForEveryKind([](const auto& kind) {
    for (const auto& message : kind.examples) {
      const auto decoded = kind.decode(Encode(message));
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_EQ(*decoded, message);
    }
  });
}

TEST(MessagesTest, EveryTruncationAndEveryAddedByteIsAnError) {
  ForEveryKind([](const auto& kind) {
    for (const auto& message : kind.examples) {
      Bytes bytes = Encode(message);
      for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_EQ(kind.decode(ByteSpan(bytes).first(size)).code(), StatusCode::kDataLoss) << size;
      bytes.push_back(0);
      EXPECT_EQ(kind.decode(bytes).code(), StatusCode::kDataLoss);
    }
  });
}

// Canonical: what decodes at all is exactly what encoding gives, so that a digest or signature over it means one thing.
TEST(MessagesTest, NoTwoByteStringsDecodeToTheSameMessage) {
  Rng rng(20261121);
  int accepted = 0;
  ForEveryKind([&](const auto& kind) {
    for (const auto& message : kind.examples) {
      const Bytes good = Encode(message);
      for (int i = 0; i < 3000; ++i) {
        Bytes bytes = good;
        const std::uint64_t edits = 1 + rng.Below(3);
        for (std::uint64_t edit = 0; edit < edits && !bytes.empty(); ++edit)
          bytes[rng.Below(bytes.size())] = static_cast<std::uint8_t>(rng.Below(256));
        const auto decoded = kind.decode(bytes);
        if (!decoded.ok()) {
          EXPECT_EQ(decoded.code(), StatusCode::kDataLoss);
          continue;
        }
        ++accepted;
        if (IsOfLaterVersion(*decoded)) continue;
        EXPECT_EQ(Encode(*decoded), bytes) << "iteration " << i;
      }
    }
  });
  std::printf("seed 20261121: %d mutations decoded\n", accepted);
  EXPECT_GT(accepted, 1000);
}

TEST(MessagesTest, RandomBytesNeverDoMoreThanFail) {
  Rng rng(7);
  ForEveryKind([&](const auto& kind) {
    for (int i = 0; i < 5000; ++i) {
      Bytes bytes(rng.Below(200));
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.Below(256));
      if (!bytes.empty()) bytes[0] %= 8;  // most often a kind that exists
      const auto decoded = kind.decode(bytes);
      if (decoded.ok() && !IsOfLaterVersion(*decoded)) {
        EXPECT_EQ(Encode(*decoded), bytes);
      }
    }
  });
}

TEST(MessagesTest, KindsAndEnumsBeyondTheLastKnownAreErrors) {
  Bytes bytes = Encode(SiteMessage(Hello{}));
  bytes[0] = std::variant_size_v<SiteMessage>;
  EXPECT_THAT(DecodeSiteMessage(bytes).status().message(), HasSubstr("kind 6 is not known"));
  bytes = Encode(SiteMessage(Heartbeat{}));
  bytes[1] = 5;  // the phase
  EXPECT_THAT(DecodeSiteMessage(bytes).status().message(), HasSubstr("beyond the last known"));
  bytes = Encode(CoordinatorMessage(Refusal{StatusCode::kOk, ""}));
  for (const std::uint8_t code : {19, 127, 128, 255}) {
    bytes[1] = code;
    EXPECT_FALSE(DecodeCoordinatorMessage(bytes).ok()) << int{code};
  }
  EXPECT_EQ(DecodeSiteMessage({}).code(), StatusCode::kDataLoss);
}

TEST(MessagesTest, LengthsThatLieAreRefusedBeforeAnythingIsAllocated) {
  // Hello, then a build text that announces 4 GiB.
  ByteWriter writer;
  writer.Put(std::uint8_t{0}), writer.Put(kProtocolMajor), writer.Put(kProtocolMinor), writer.Put(~std::uint32_t{0});
  EXPECT_THAT(DecodeSiteMessage(writer.bytes()).status().message(), HasSubstr("announces 4294967295 bytes"));
  // EvaluationReport with 4 billion metrics.
  Bytes bytes = Encode(SiteMessage(EvaluationReport{}));
  std::fill(bytes.end() - 4, bytes.end(), 0xff);
  EXPECT_THAT(DecodeSiteMessage(bytes).status().message(), HasSubstr("announces 4294967295 items"));
  // UpdateReady with 4 billion chunks.
  UploadOffer offer;
  bytes = Encode(offer);
  std::fill(bytes.end() - 4, bytes.end(), 0xff);
  EXPECT_FALSE(DecodeUploadOffer(bytes).ok());
  EXPECT_THAT(DecodeSiteMessage(Bytes(kMessageBytesMax + 1)).status().message(),
              HasSubstr(Concat("at most ", kMessageBytesMax)));
  EXPECT_FALSE(DecodeUploadOffer(Bytes(kMessageBytesMax + 1)).ok());
}

TEST(MessagesTest, AnUpdateMustHaveAPositiveFiniteWeight) {
  for (const double weight : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity(), -0.0})
    EXPECT_EQ(DecodeSiteMessage(Encode(SiteMessage(UpdateReady{.weight = weight}))).code(), StatusCode::kDataLoss)
        << weight;
  EXPECT_TRUE(DecodeSiteMessage(Encode(SiteMessage(UpdateReady{.weight = 1e-300}))).ok());
}

TEST(MessagesTest, MetricsOutOfOrderOrTwiceAreRefused) {
  const auto report = [](std::vector<std::string> names) {
    ByteWriter writer;
    writer.PutRaw(
        ByteSpan(Encode(SiteMessage(EvaluationReport{}))).first(Encode(SiteMessage(EvaluationReport{})).size() - 4));
    writer.Put(static_cast<std::uint32_t>(names.size()));
    for (const std::string& name : names) writer.PutString(name), writer.Put(0.5);
    return DecodeSiteMessage(writer.bytes());
  };
  EXPECT_TRUE(report({"a", "b"}).ok());
  EXPECT_FALSE(report({"b", "a"}).ok());
  EXPECT_FALSE(report({"a", "a"}).ok());
  EXPECT_FALSE(report({std::string(257, 'a')}).ok());
}

TEST(MessagesTest, WhatIsTooLongIsCutSoThatThePeerCanReadIt) {
  TaskFailed failed{kTask, StatusCode::kFailed, std::string(100'000, 'x')};
  const auto decoded = DecodeSiteMessage(Encode(SiteMessage(failed)));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(std::get<TaskFailed>(*decoded).message.size(), 65'536u);
  EvaluationReport report;
  for (int i = 0; i < 300; ++i) report.metrics[Concat("dice.", 1000 + i)] = i;
  const auto read = DecodeSiteMessage(Encode(SiteMessage(report)));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(std::get<EvaluationReport>(*read).metrics.size(), 256u);
}

TEST(MessagesTest, TheLargestTaskFitsIntoAMessage) {
  const Task task{kTask, std::string(65'536, 'x'), Manifest(kBlobBytesMax), 1, Manifest(kBlobBytesMax)};
  EXPECT_LE(Encode(CoordinatorMessage(task)).size(), kMessageBytesMax);
  EXPECT_TRUE(DecodeCoordinatorMessage(Encode(CoordinatorMessage(task))).ok());
}

TEST(MessagesTest, NamesForLogsFollowTheKind) {
  EXPECT_EQ(MessageName(SiteMessage(TaskFailed{})), "TaskFailed");
  EXPECT_EQ(MessageName(CoordinatorMessage(Refusal{})), "Refusal");
  EXPECT_EQ(Concat(kTask), "hippocampus-1/evaluation after round 7.2");
  EXPECT_EQ(Concat(kCrossTask), "hippocampus-1/validation after round 7.0 of hospital-b");
}

}  // namespace
}  // namespace consilium::wire
