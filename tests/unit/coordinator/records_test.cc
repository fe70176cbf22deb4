#include "coordinator/core/records.h"

#include <gtest/gtest.h>

#include "comm/base/rng.h"
#include "job_fixture.h"

namespace consilium::coordinator {
namespace {

std::vector<Record> OneOfEach() {
  const SiteName a("a"), b("b");
  return {MakeJob({}),
          RoundOpened{Round(3), {a, b}, Sha256Of("model"), 2},
          UpdateAccepted{a, Train(3, 1), FakeBlob("update"), 12.5, {{"dice", 0.5}, {"loss", -1.0}}},
          TaskFailureRecorded{b, Evaluate(3), StatusCode::kRankFailure, "rank 2 died"},
          RoundClosed{Round(3), {a}, {b}, CloseReason::kEnough},
          ModelPublished{Round(3),
                         FakeBlob("model"),
                         Sha256Of("weights"),
                         FakeBlob("momentum"),
                         std::nullopt,
                         {{a, FakeBlob("model of a")}, {b, FakeBlob("model of b")}},
                         R"({"selected": 2})",
                         0.25},
          EvaluationOpened{{a, b}, Purpose::kCrossSite, wire::TaskKind::kValidate, {{"", FakeBlob("m")}, {"a", {}}}},
          EvaluationAccepted{b, Evaluate(3), {{"dice.1", 0.25}}},
          JobFinished{StatusCode::kDeadlineExceeded, "too few"},
          UpdateWithdrawn{b, Train(3, 1)},
          EvaluationClosed{CloseReason::kDeadline},
          TaskGiven{a, Train(4, 2)},
          JobPaused{"ada"},
          JobResumed{"ada"},
          PlanPinned{R"({"name": "trial"})", FakeBlob("plans"), Sha256Of("plans")},
          ModelInitialized{FakeBlob("first model")},
          SecureSessionOpened{Round(3), 2, {a, b}},
          UnmaskingBegan{Round(3), 2, {1, 2, 3}, {{a, {FakeBlob("vector of a"), 1.5}}, {b, {FakeBlob("v"), 2}}}},
          SharesReleased{Round(3), 2, a, {9, 0}},
          RoundSkipped{Round(3), "b lost its keys"},
          BeaconOpened{Round(3), 2, {a, b}},
          BeaconAgreed{Round(3), 2, Sha256Of("value"), {7, 7, 7}}};
}

TEST(Records, DecodeAfterEncodeIsTheIdentityForEveryKind) {
  const std::vector<Record> records = OneOfEach();
  ASSERT_EQ(records.size(), std::variant_size_v<Record>);
  for (const Record& record : records) {
    const StatusOr<Record> decoded = DecodeRecord(Encode(record));
    ASSERT_TRUE(decoded.ok()) << RecordName(record) << ": " << decoded.status();
    EXPECT_EQ(*decoded, record) << RecordName(record);
  }
}

TEST(Records, EveryTruncationAndEveryExtraByteIsAnError) {
  for (const Record& record : OneOfEach()) {
    Bytes bytes = Encode(record);
    for (std::size_t size = 0; size < bytes.size(); ++size)
      EXPECT_FALSE(DecodeRecord(ByteSpan(bytes).first(size)).ok()) << RecordName(record) << " cut to " << size;
    bytes.push_back(0);
    EXPECT_FALSE(DecodeRecord(bytes).ok()) << RecordName(record);
  }
}

TEST(Records, ARecordOfAnotherFormatIsRefusedByItsNumber) {
  Bytes bytes = Encode(JobPaused{"ada"});
  bytes[0] = kRecordFormat + 1;
  const StatusOr<Record> decoded = DecodeRecord(bytes);
  EXPECT_EQ(decoded.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(decoded.status().message().find(Concat("format ", int{kRecordFormat} + 1)), std::string::npos);
}

TEST(Records, RandomBytesNeverDoMoreThanFail) {
  Rng rng(20261121);
  for (int trial = 0; trial < 20000; ++trial) {
    Bytes bytes(rng.Below(200));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.NextU32());
    if (!bytes.empty()) bytes[0] = kRecordFormat;
    if (bytes.size() > 1) bytes[1] %= std::variant_size_v<Record> + 1;
    const StatusOr<Record> decoded = DecodeRecord(bytes);
    if (decoded.ok()) {
      EXPECT_EQ(Encode(*decoded), bytes);
    }
  }
}

}  // namespace
}  // namespace consilium::coordinator
