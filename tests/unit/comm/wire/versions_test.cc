// Peers of other versions.  The bytes here are what protocol 1.0 says, written down by hand: they never change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/wire/messages.h"
#include "comm/wire/upload.h"

namespace consilium::wire {
namespace {

Bytes Hex(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  return FromHex(text).value();
}

// job "j-1" | round 7 | attempt 2 | training
const std::string kTask10 = "03000000 6a2d31 07000000 02000000 00";
const TaskKey kTask{JobId("j-1"), Round{7}, Attempt{2}, TaskKind::kTrain};
// A blob of two bytes, in one chunk: digest, u64 size, u32 count, the chunk's digest.
const std::string kManifest10 =
    "1111111111111111111111111111111111111111111111111111111111111111 0200000000000000 01000000 "
    "2222222222222222222222222222222222222222222222222222222222222222";
BlobManifest Manifest() {
  BlobManifest manifest{.bytes = 2, .chunks = std::vector<Digest>(1)};
  manifest.digest.bytes.fill(0x11);
  manifest.chunks[0].bytes.fill(0x22);
  return manifest;
}

TEST(VersionsTest, WhatASiteOfProtocol10SaysIsUnderstood) {
  const std::vector<std::pair<std::string, SiteMessage>> said = {
      {"00 01000000 00000000 05000000 302e312e30 02000000 6162", Hello{1, 0, "0.1.0", "ab", {}}},
      {"01 02 " + kTask10 + " 000000000000e03f 01000000 04000000 6c6f7373 000000000000d03f",
       Heartbeat{SitePhase::kTraining, kTask, 0.5, {{"loss", 0.25}}}},
      {"02 " + kTask10 + kManifest10 + " 0000000000002440 00000000", UpdateReady{kTask, Manifest(), 10, {}}},
      {"03 " + kTask10 + " 01000000 04000000 64696365 000000000000e83f", EvaluationReport{kTask, {{"dice", 0.75}}}},
      {"04 " + kTask10 + " 01000000 03000000 6f6f6d", TaskFailed{kTask, StatusCode::kFailed, "oom"}}};
  for (const auto& [hex, message] : said) {
    const auto decoded = DecodeSiteMessage(Hex(hex), /*minor=*/0);
    ASSERT_TRUE(decoded.ok()) << hex << ": " << decoded.status();
    EXPECT_EQ(*decoded, message);
    EXPECT_EQ(ToHex(Encode(message, 0)), ToHex(Hex(hex)));
  }
  EXPECT_EQ(DecodeUploadOffer(Hex(kTask10 + kManifest10), 0).value(), (UploadOffer{kTask, Manifest()}));
}

TEST(VersionsTest, WhatASiteOfProtocol10IsToldHasTheFieldsThatItKnows) {
  const std::vector<std::pair<std::string, CoordinatorMessage>> told = {
      {"01 " + kTask10 + " 02000000 7b7d " + kManifest10 + " e803000000000000",
       Task{kTask, "{}", Manifest(), 1000, Manifest()}},                           // the auxiliary blob is left out
      {"02 " + kTask10 + " 02 00000000", Receipt{kTask, DropReason::kStale, ""}},  // told as late
      {"03 " + kTask10 + " 02000000 6e6f", StandDown{kTask, "no"}},
      {"04 03000000 6a2d31 00000000 00000000", JobEnded{JobId("j-1"), StatusCode::kOk, ""}}};
  for (const auto& [hex, message] : told) {
    EXPECT_EQ(ToHex(Encode(message, 0)), ToHex(Hex(hex)));
    EXPECT_TRUE(DecodeCoordinatorMessage(Hex(hex), 0).ok());
  }
}

TEST(VersionsTest, GreetingsAndRefusalsAreTheSameInEveryMinorVersion) {
  const SiteMessage hello = Hello{.build = "b", .capability = {.cores = 4}};
  EXPECT_EQ(Encode(hello, 0), Encode(hello));
  for (const CoordinatorMessage& message :
       {CoordinatorMessage(Welcome{1, "c", 3000}), CoordinatorMessage(Refusal{StatusCode::kFailed, "why"})})
    EXPECT_EQ(Encode(message, 0), Encode(message));
}

TEST(VersionsTest, GreetingsOfALaterMinorVersionAreReadAsFarAsTheyAreKnown) {
  const Hello hello{1, kProtocolMinor + 1, "9.9", "x", {.cores = 8}};
  Bytes bytes = Encode(SiteMessage(hello));
  bytes.insert(bytes.end(), {1, 2, 3, 4});
  EXPECT_EQ(std::get<Hello>(DecodeSiteMessage(bytes).value()), hello);
  const Welcome welcome{kProtocolMinor + 1, "c", 3000};
  bytes = Encode(CoordinatorMessage(welcome));
  bytes.push_back(7);
  EXPECT_EQ(std::get<Welcome>(DecodeCoordinatorMessage(bytes).value()), welcome);
  EXPECT_EQ(CommonMinor(kProtocolMinor + 1), kProtocolMinor);
  EXPECT_EQ(CommonMinor(0), 0u);
}

TEST(VersionsTest, StagesOfABeaconAreUnknownBeforeMinorVersionThree) {
  for (const SecureStage stage : {SecureStage::kCommit, SecureStage::kReveal, SecureStage::kBeacon}) {
    const SiteMessage answer = SecureAnswer{.stage = stage};
    const CoordinatorMessage question = SecureRequest{.stage = stage};
    EXPECT_TRUE(DecodeSiteMessage(Encode(answer, 3), 3).ok());
    EXPECT_TRUE(DecodeCoordinatorMessage(Encode(question, 3), 3).ok());
    EXPECT_EQ(DecodeSiteMessage(Encode(answer, 2), 2).status().code(), StatusCode::kDataLoss);
    EXPECT_EQ(DecodeCoordinatorMessage(Encode(question, 2), 2).status().code(), StatusCode::kDataLoss);
  }
}

TEST(VersionsTest, AHelloOfAnotherMajorVersionIsReadAsFarAsItsNumbers) {
  const auto decoded = DecodeSiteMessage(Hex("00 02000000 05000000 ffffffffffff"));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(std::get<Hello>(*decoded).protocol_major, 2u);
  EXPECT_EQ(std::get<Hello>(*decoded).protocol_minor, 5u);
}

}  // namespace
}  // namespace consilium::wire
