#include "comm/tensor/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "comm/base/entropy.h"
#include "comm/base/json.h"
#include "tests/testing/run_program.h"

namespace consilium::tensor {
namespace {

using consilium::testing::ScratchFolder;
using ::testing::HasSubstr;

ParameterVector RandomParameters(std::uint64_t seed) {
  const auto schema = std::make_shared<const Schema>(Schema::Create({{"encoder.conv.weight", DType::kF32, {4, 2, 3, 3}},
                                                                     {"encoder.conv.bias", DType::kF32, {4}},
                                                                     {"scale", DType::kF32, {}},
                                                                     {"none", DType::kF32, {0, 7}},
                                                                     {"umlaut \u00e4 \"quoted\"", DType::kF32, {5}}})
                                                         .value());
  ParameterVector vector = ParameterVector::Zeros(schema).value();
  SeededEntropy(seed).Fill({reinterpret_cast<std::uint8_t*>(vector.values().data()), vector.values().size_bytes()});
  return vector;
}

TEST(SafetensorsTest, WhatWasWrittenIsReadBitForBit) {
  const ScratchFolder scratch;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {  // random bits: NaNs and denormals among them
    const ParameterVector written = RandomParameters(seed);
    ASSERT_TRUE(WriteParameters(scratch / "m.safetensors", written, {{"format", "pt"}}).ok());
    const ParameterVector read = ReadParameters(scratch / "m.safetensors").value();
    EXPECT_EQ(read.schema(), written.schema());
    EXPECT_EQ(read.digest(), written.digest()) << "seed " << seed;
  }
}

TEST(SafetensorsTest, EqualWeightsGiveEqualFiles) {
  const ScratchFolder scratch;
  ASSERT_TRUE(WriteParameters(scratch / "one", RandomParameters(1), {{"b", "2"}, {"a", "1"}}).ok());
  ASSERT_TRUE(WriteParameters(scratch / "two", RandomParameters(1), {{"a", "1"}, {"b", "2"}}).ok());
  EXPECT_EQ(Sha256OfFile(scratch / "one").value(), Sha256OfFile(scratch / "two").value());
}

TEST(SafetensorsTest, TheFileIsLaidOutAsTheFormatSays) {
  const ScratchFolder scratch;
  ASSERT_TRUE(WriteParameters(scratch / "m", RandomParameters(1), {{"who", "me"}}).ok());
  const std::string bytes = ReadFile(scratch / "m").value();
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  EXPECT_EQ(header_bytes % 8, 0u);
  const Json header = ParseJson(bytes.substr(8, header_bytes), "header").value();
  EXPECT_EQ(header["__metadata__"]["who"], "me");
  EXPECT_EQ(header["encoder.conv.weight"]["dtype"], "F32");
  EXPECT_EQ(header["encoder.conv.weight"]["shape"], Json({4, 2, 3, 3}));
  EXPECT_EQ(header["scale"]["shape"], Json::array());
  EXPECT_EQ(header["encoder.conv.bias"]["data_offsets"], Json({0, 16}));
  EXPECT_EQ(bytes.size(), 8 + header_bytes + 4 * (72 + 4 + 1 + 5));
}

TEST(SafetensorsTest, MetadataAndOtherTypesAreKept) {
  const ScratchFolder scratch;
  const Schema schema = Schema::Create({{"count", DType::kI64, {2}}, {"flag", DType::kBool, {3}}}).value();
  auto writer = SafetensorsWriter::Create(scratch / "m", schema, {{"k", "v\n\"w\""}}).value();
  const Bytes data = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 0, 1};
  ASSERT_TRUE(writer.Append(ByteSpan(data).first(5)).ok());
  ASSERT_TRUE(writer.Append(ByteSpan(data).subspan(5)).ok());
  ASSERT_TRUE(writer.Commit().ok());
  const SafetensorsFile file = SafetensorsFile::Open(scratch / "m").value();
  EXPECT_EQ(file.metadata(), (Metadata{{"k", "v\n\"w\""}}));
  EXPECT_EQ(file.schema(), schema);
  Bytes flag(3), middle(4);
  ASSERT_TRUE(file.Read(1, 0, flag).ok());
  EXPECT_EQ(flag, (Bytes{1, 0, 1}));
  ASSERT_TRUE(file.Read(0, 6, middle).ok());
  EXPECT_EQ(middle, (Bytes{7, 8, 9, 10}));
  EXPECT_EQ(ReadParameters(scratch / "m").code(), StatusCode::kInvalidArgument);  // not parameters
}

TEST(SafetensorsTest, TensorsInAnotherOrderThanTheirNamesAreRead) {
  const ScratchFolder scratch;
  // As other writers do: larger types first, "b" before "a", blanks in the header.
  const std::string header =
      R"( { "b" : {"shape":[1],"dtype":"F32","data_offsets":[0,4]}, )"
      R"("a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]} }  )";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  const float values[] = {1.5f, 2.5f};
  bytes += header + std::string(reinterpret_cast<const char*>(values), sizeof values);
  ASSERT_TRUE(WriteFileAtomic(scratch / "m", bytes).ok());
  const ParameterVector read = ReadParameters(scratch / "m").value();
  EXPECT_EQ(read.tensor(0)[0], 2.5f);
  EXPECT_EQ(read.tensor(1)[0], 1.5f);
}

TEST(SafetensorsTest, AnUnfinishedFileNeverAppears) {
  const ScratchFolder scratch;
  const Schema schema = Schema::Create({{"x", DType::kU8, {4}}}).value();
  {
    auto writer = SafetensorsWriter::Create(scratch / "m", schema).value();
    ASSERT_TRUE(writer.Append(Bytes{1, 2, 3}).ok());
    EXPECT_EQ(writer.Commit().code(), StatusCode::kFailedPrecondition);
    EXPECT_EQ(writer.Append(Bytes{1, 2}).code(), StatusCode::kFailedPrecondition);
  }
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(SafetensorsTest, AFileThatIsNotThereOrNoFileSaysSo) {
  const ScratchFolder scratch;
  EXPECT_EQ(SafetensorsFile::Open(scratch / "absent").code(), StatusCode::kNotFound);
  const auto folder = SafetensorsFile::Open(scratch.path());
  EXPECT_EQ(folder.code(), StatusCode::kDataLoss);
  EXPECT_THAT(folder.status().message(), HasSubstr("is not a file"));
}

}  // namespace
}  // namespace consilium::tensor
