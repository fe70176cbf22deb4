#include "comm/base/bytes.h"

#include <gtest/gtest.h>

#include "comm/base/rng.h"

namespace consilium {
namespace {

enum class Colour : std::uint16_t { kRed = 1, kBlue = 0x0203 };

Bytes Sample() {
  ByteWriter writer;
  writer.Put<std::uint8_t>(7);
  writer.Put<std::int64_t>(-2);
  writer.Put(1.5f);
  writer.Put(true);
  writer.Put(Colour::kBlue);
  writer.PutString("hospital-a");
  writer.PutBytes(Bytes{1, 2, 3});
  writer.Put<std::uint32_t>(2);  // a count of two u16 items
  writer.Put<std::uint16_t>(10);
  writer.Put<std::uint16_t>(11);
  return std::move(writer).Take();
}

// Reads what Sample() wrote; the reader's status tells whether all of it was there.
Status ReadSample(ByteSpan bytes) {
  ByteReader reader(bytes);
  (void)reader.Get<std::uint8_t>();
  (void)reader.Get<std::int64_t>();
  (void)reader.Get<float>();
  (void)reader.Get<bool>();
  (void)reader.Get<Colour>();
  (void)reader.GetString(64);
  (void)reader.GetBytes(64);
  const std::uint32_t count = reader.GetCount(2);
  for (std::uint32_t i = 0; i < count; ++i) (void)reader.Get<std::uint16_t>();
  return reader.Finish();
}

TEST(Bytes, EveryKindOfFieldComesBackAsItWasWritten) {
  const Bytes bytes = Sample();
  ByteReader reader(bytes);
  EXPECT_EQ(reader.Get<std::uint8_t>(), 7);
  EXPECT_EQ(reader.Get<std::int64_t>(), -2);
  EXPECT_EQ(reader.Get<float>(), 1.5f);
  EXPECT_TRUE(reader.Get<bool>());
  EXPECT_EQ(reader.Get<Colour>(), Colour::kBlue);
  EXPECT_EQ(reader.GetString(64), "hospital-a");
  EXPECT_EQ(reader.GetBytes(64), (Bytes{1, 2, 3}));
  EXPECT_EQ(reader.GetCount(2), 2u);
  EXPECT_EQ(reader.Get<std::uint16_t>(), 10);
  EXPECT_EQ(reader.Get<std::uint16_t>(), 11);
  EXPECT_TRUE(reader.Finish().ok()) << reader.Finish();
}

TEST(Bytes, IntegersAreLittleEndianOnTheWire) {
  ByteWriter writer;
  writer.Put<std::uint32_t>(0x01020304);
  EXPECT_EQ(writer.bytes(), (Bytes{4, 3, 2, 1}));
}

TEST(Bytes, EveryTruncationIsDataLoss) {
  const Bytes bytes = Sample();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_EQ(ReadSample(ByteSpan(bytes).first(size)).code(), StatusCode::kDataLoss) << "truncated to " << size;
}

TEST(Bytes, LeftoverBytesAreDataLoss) {
  Bytes bytes = Sample();
  bytes.push_back(0);
  EXPECT_EQ(ReadSample(bytes).message(), "1 bytes are left over at the end");
}

TEST(Bytes, RandomBytesNeverReadOutOfBounds) {
  const std::uint64_t seed = 1;
  Rng rng(seed);
  for (int trial = 0; trial < 2000; ++trial) {
    Bytes bytes(rng.Below(64));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.NextU32());
    (void)ReadSample(bytes);  // under the address sanitizer this is the test
  }
}

TEST(Bytes, ALengthAboveTheLimitFailsBeforeAnythingIsAllocated) {
  ByteWriter writer;
  writer.Put<std::uint32_t>(0xFFFFFFFF);
  ByteReader reader(writer.bytes());
  EXPECT_EQ(reader.GetString(1024), "");
  EXPECT_EQ(reader.status().message(), "a field announces 4294967295 bytes at offset 4, at most 1024 are allowed");
}

TEST(Bytes, ALengthWithinTheLimitButBeyondTheEndFails) {
  ByteWriter writer;
  writer.Put<std::uint32_t>(10);
  writer.PutRaw(Bytes{1, 2});
  ByteReader reader(writer.bytes());
  EXPECT_TRUE(reader.GetBytes(1024).empty());
  EXPECT_EQ(reader.status().message(), "truncated: 10 bytes wanted at offset 4, 2 left");
}

TEST(Bytes, ALyingCountIsZeroAndAnError) {
  ByteWriter writer;
  writer.Put<std::uint32_t>(0x40000000);
  writer.PutRaw(Bytes(8));
  ByteReader reader(writer.bytes());
  EXPECT_EQ(reader.GetCount(4), 0u);
  EXPECT_EQ(reader.status().code(), StatusCode::kDataLoss);
}

TEST(Bytes, TheFirstFailureStaysAndLaterReadsAreZero) {
  const Bytes bytes{1, 2, 3};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.Get<std::uint32_t>(), 0u);
  const std::string first = reader.status().message();
  EXPECT_EQ(reader.Get<std::uint8_t>(), 0) << "three bytes are left, but the reader has failed";
  reader.Fail("another reason");
  EXPECT_EQ(reader.Finish().message(), first);
}

TEST(Bytes, ATruthValueOtherThanZeroAndOneIsAnError) {
  const Bytes bytes{2};
  ByteReader reader(bytes);
  EXPECT_FALSE(reader.Get<bool>());
  EXPECT_EQ(reader.status().message(), "a truth value is 2, expected 0 or 1");
}

TEST(Hex, EncodesAndDecodesEveryByte) {
  Bytes all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(FromHex(ToHex(all)).value(), all);
  EXPECT_EQ(FromHex("FFfe").value(), (Bytes{0xff, 0xfe}));
}

TEST(Hex, RefusesOddLengthsAndOtherLetters) {
  EXPECT_EQ(FromHex("abc").status().message(), "hex text has an odd length of 3");
  EXPECT_EQ(FromHex("00zz").status().message(), "'zz' at position 2 is not hexadecimal");
}

}  // namespace
}  // namespace consilium
