#include "comm/wire/update_format.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/unit/comm/wire/update_fixture.h"

namespace consilium::wire {
namespace {

using tensor::Compression;
using tensor::CompressionSpec;
using tensor::ParameterVector;
using ::testing::HasSubstr;

class UpdateFormat : public ::testing::Test {
 protected:
  std::optional<ParameterVector> Write(const UpdateContents& contents) { return WriteUpdate(path_, contents).value(); }
  UpdateReader Open(const std::vector<std::string>& auxiliary = {}) {
    return UpdateReader::Open(path_, schema_, auxiliary).value();
  }
  ParameterVector RoundTrip(const ParameterVector& delta, const CompressionSpec& compression) {
    Write({.kind = UpdateKind::kDelta, .values = &delta, .compression = compression, .seed = 4});
    return ReadWhole(Open(), schema_);
  }

  consilium::testing::ScratchFolder scratch_;
  const std::filesystem::path path_ = scratch_ / "update.safetensors";
  const std::shared_ptr<const tensor::Schema> schema_ = AwkwardSchema();
};

TEST_F(UpdateFormat, UncompressedWeightsComeBackBitForBit) {
  const ParameterVector weights = RandomDelta(1, schema_);
  EXPECT_FALSE(Write({.values = &weights}).has_value());
  const UpdateReader reader = Open();
  EXPECT_EQ(reader.kind(), UpdateKind::kWeights);
  EXPECT_EQ(reader.compression(), Compression::kNone);
  EXPECT_EQ(ReadWhole(reader, schema_).digest(), weights.digest());
  EXPECT_TRUE(reader.Check().ok());
}

TEST_F(UpdateFormat, APlainModelFileIsWeightsAsOlderSitesSendThem) {
  const ParameterVector weights = RandomDelta(1, schema_);
  ASSERT_TRUE(WriteParameters(path_, weights, {{"format", "pt"}}).ok());
  const UpdateReader reader = Open();
  EXPECT_EQ(reader.kind(), UpdateKind::kWeights);
  EXPECT_EQ(ReadWhole(reader, schema_).digest(), weights.digest());
}

TEST_F(UpdateFormat, HalfPrecisionKeepsElevenBits) {
  const ParameterVector delta = RandomDelta(2, schema_);
  const ParameterVector decoded = RoundTrip(delta, {.scheme = Compression::kHalf});
  for (std::size_t i = 0; i < schema_->tensors().size(); ++i) {
    const float smallest = tensor::HalfScale(delta.tensor(i)) * 0x1p-25f;
    for (std::size_t j = 0; j < delta.tensor(i).size(); ++j)
      ASSERT_LE(std::abs(decoded.tensor(i)[j] - delta.tensor(i)[j]),
                std::max(smallest, std::abs(delta.tensor(i)[j]) * 0x1p-11f));
  }
}

TEST_F(UpdateFormat, EightBitsAreWithinOneStepOfTheirBlock) {
  const ParameterVector delta = RandomDelta(3, schema_);
  const ParameterVector decoded = RoundTrip(delta, {.scheme = Compression::kInt8});
  for (std::size_t i = 0; i < schema_->tensors().size(); ++i)
    for (std::size_t j = 0; j < delta.tensor(i).size(); ++j) {
      const std::size_t begin = j / tensor::kInt8BlockValues * tensor::kInt8BlockValues;
      const std::size_t size = std::min(tensor::kInt8BlockValues, delta.tensor(i).size() - begin);
      ASSERT_LE(std::abs(decoded.tensor(i)[j] - delta.tensor(i)[j]),
                1.0001f * tensor::Int8Scale(delta.tensor(i).subspan(begin, size)));
    }
}

TEST_F(UpdateFormat, TopKKeepsTheLargestExactlyAndNothingElse) {
  const ParameterVector delta = RandomDelta(4, schema_);
  for (const double fraction : {0.001, 0.1, 1.0}) {
    const ParameterVector decoded = RoundTrip(delta, {.scheme = Compression::kTopK, .fraction = fraction});
    for (std::size_t i = 0; i < schema_->tensors().size(); ++i) {
      const std::span<const float> truth = delta.tensor(i);
      std::vector<float> expected(truth.size());
      const auto count = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(truth.size())));
      for (const std::uint32_t at : tensor::LargestMagnitudes(truth, count)) expected[at] = truth[at];
      ASSERT_TRUE(std::equal(expected.begin(), expected.end(), decoded.tensor(i).begin())) << fraction << " " << i;
    }
  }
}

TEST_F(UpdateFormat, WhatWasSentAndTheResidualSumToTheTruth) {
  for (const Compression scheme : {Compression::kHalf, Compression::kInt8, Compression::kTopK}) {
    std::optional<ParameterVector> residual;
    std::vector<double> sent(static_cast<std::size_t>(schema_->elements())), truth = sent;
    for (std::uint64_t round = 0; round < 10; ++round) {
      const ParameterVector delta = RandomDelta(100 + round, schema_);
      residual = Write({.kind = UpdateKind::kDelta,
                        .values = &delta,
                        .compression = {.scheme = scheme, .fraction = 0.1, .error_feedback = true},
                        .residual = residual ? &*residual : nullptr});
      ASSERT_TRUE(residual.has_value());
      const ParameterVector decoded = ReadWhole(Open(), schema_);
      for (std::size_t i = 0; i < sent.size(); ++i) sent[i] += decoded.values()[i], truth[i] += delta.values()[i];
    }
    double largest = 0;
    for (const double value : truth) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < sent.size(); ++i)
      ASSERT_NEAR(sent[i] + residual->values()[i], truth[i], 1e-6 * std::max(1.0, largest) * 0.1)
          << tensor::CompressionName(scheme) << " " << i;
  }
}

TEST_F(UpdateFormat, WithoutErrorFeedbackNothingIsKept) {
  const ParameterVector delta = RandomDelta(5, schema_);
  for (const Compression scheme : kSchemes)
    EXPECT_FALSE(Write({.kind = UpdateKind::kDelta, .values = &delta, .compression = {.scheme = scheme}}).has_value());
}

TEST_F(UpdateFormat, TilesOfAnySizeAreThePiecesOfTheWhole) {
  const ParameterVector delta = RandomDelta(6, schema_);
  Rng rng(9);
  for (const Compression scheme : kSchemes) {
    Write({.kind = UpdateKind::kDelta, .values = &delta, .compression = {.scheme = scheme, .fraction = 0.05}});
    const UpdateReader reader = Open();
    const ParameterVector whole = ReadWhole(reader, schema_);
    for (int i = 0; i < 300; ++i) {
      const std::size_t tensor = rng.Below(schema_->tensors().size());
      const std::span<const float> values = whole.tensor(tensor);
      const std::size_t offset = rng.Below(values.size() + 1);
      std::vector<float> tile(rng.Below(values.size() - offset + 1), 42.0f);
      ASSERT_TRUE(reader.ReadTile(tensor, offset, tile).ok());
      ASSERT_TRUE(std::equal(tile.begin(), tile.end(), values.begin() + static_cast<std::ptrdiff_t>(offset)))
          << tensor::CompressionName(scheme) << " tensor " << tensor << " offset " << offset << " size " << tile.size();
    }
  }
}

TEST_F(UpdateFormat, EqualContentsGiveEqualBytesAndTheSeedDecidesTheRounding) {
  const ParameterVector delta = RandomDelta(7, schema_);
  UpdateContents contents{.kind = UpdateKind::kDelta, .values = &delta, .compression = {.scheme = Compression::kInt8}};
  const auto bytes = [&](std::uint64_t seed) {
    contents.seed = seed;
    Write(contents);
    return Sha256OfFile(path_).value();
  };
  EXPECT_EQ(bytes(1), bytes(1));
  EXPECT_NE(bytes(1), bytes(2));
  contents.compression.error_feedback = true;  // to nearest: nothing is random
  EXPECT_EQ(bytes(1), bytes(2));
}

TEST_F(UpdateFormat, CompressedFilesAreAsSmallAsPromised) {
  const auto schema =
      std::make_shared<const tensor::Schema>(tensor::Schema::Create({{"w", tensor::DType::kF32, {1 << 18}}}).value());
  const ParameterVector delta = RandomDelta(8, schema);
  for (const auto& [compression, bytes_a_value] : {std::pair{CompressionSpec{}, 4.0},
                                                   {{.scheme = Compression::kHalf}, 2.0},
                                                   {{.scheme = Compression::kInt8}, 1.01},
                                                   {{.scheme = Compression::kTopK, .fraction = 0.01}, 0.0601}}) {
    Write({.kind = UpdateKind::kDelta, .values = &delta, .compression = compression});
    EXPECT_NEAR(static_cast<double>(std::filesystem::file_size(path_)), bytes_a_value * (1 << 18), 1000);
  }
}

TEST_F(UpdateFormat, AuxiliaryTensorsTravelExactlyBesideACompressedDelta) {
  const ParameterVector delta = RandomDelta(9, schema_), control = RandomDelta(10, schema_);
  Write({.kind = UpdateKind::kDelta,
         .values = &delta,
         .auxiliary = {{"control_delta", &control}},
         .compression = {.scheme = Compression::kInt8}});
  const UpdateReader reader = Open({"control_delta"});
  EXPECT_TRUE(reader.Check().ok());
  std::vector<float> tile(100);
  ASSERT_TRUE(reader.ReadAuxiliaryTile("control_delta", 0, 1000, tile).ok());
  EXPECT_TRUE(std::equal(tile.begin(), tile.end(), control.tensor(0).begin() + 1000));
}

TEST_F(UpdateFormat, WhatIsWrittenWronglyIsRefused) {
  const ParameterVector delta = RandomDelta(11, schema_);
  EXPECT_THAT(WriteUpdate(path_, {.values = &delta, .compression = {.scheme = Compression::kHalf}}).status().message(),
              HasSubstr("must be a delta"));
  const auto other =
      std::make_shared<const tensor::Schema>(tensor::Schema::Create({{"other", tensor::DType::kF32, {2}}}).value());
  const ParameterVector stranger = ParameterVector::Zeros(other).value();
  EXPECT_EQ(WriteUpdate(path_, {.kind = UpdateKind::kDelta,
                                .values = &delta,
                                .compression = {.scheme = Compression::kTopK, .error_feedback = true},
                                .residual = &stranger})
                .code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteUpdate(path_, {.values = &delta, .auxiliary = {{"x", &stranger}}}).code(),
            StatusCode::kInvalidArgument);
  ParameterVector diverged = delta;
  diverged.tensor(1)[5] = std::nanf("");
  for (const Compression scheme : {Compression::kHalf, Compression::kInt8, Compression::kTopK})
    EXPECT_THAT(WriteUpdate(path_, {.kind = UpdateKind::kDelta, .values = &diverged, .compression = {.scheme = scheme}})
                    .status()
                    .message(),
                HasSubstr("'b.bias' differs from the global model by nan at index 5"));
}

}  // namespace
}  // namespace consilium::wire
