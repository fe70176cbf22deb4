// Update files from a site that wishes us ill, or whose disk failed: every one is a DataLoss or decodes to finite
// values, and nothing else happens.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "comm/base/file.h"
#include "tests/unit/comm/wire/update_fixture.h"

namespace consilium::wire {
namespace {

using tensor::Compression;
using tensor::DType;
using tensor::ParameterVector;
using tensor::Schema;
using ::testing::HasSubstr;

class HostileUpdate : public ::testing::Test {
 protected:
  ~HostileUpdate() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  static std::shared_ptr<const Schema> SmallSchema() {
    return std::make_shared<const Schema>(
        Schema::Create({{"b", DType::kF32, {3}}, {"w", DType::kF32, {5, 8}}}).value());
  }
  std::string Written(Compression scheme) {
    const ParameterVector delta = RandomDelta(1, schema_);
    EXPECT_TRUE(
        WriteUpdate(path_,
                    {.kind = UpdateKind::kDelta, .values = &delta, .compression = {.scheme = scheme, .fraction = 0.2}})
            .ok());
    return ReadFile(path_).value();
  }
  Status OpenAndCheck(const std::string& bytes) {
    // One descriptor for all: closing a file that was truncated makes some file systems write it out, thousands of
    // times here.
    if (descriptor_ < 0) descriptor_ = ::open(hostile_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CONSILIUM_CHECK(::pwrite(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()) &&
                    ::ftruncate(descriptor_, static_cast<off_t>(bytes.size())) == 0);
    const StatusOr<UpdateReader> reader = UpdateReader::Open(hostile_, schema_);
    return reader.ok() ? reader->Check() : reader.status();
  }
  // A file with these tensors, whose data are the given bytes in name order.
  Status OpenAndCheck(const tensor::Metadata& metadata, std::vector<tensor::TensorSpec> specs, ByteSpan data) {
    auto writer = tensor::SafetensorsWriter::Create(path_, Schema::Create(std::move(specs)).value(), metadata).value();
    EXPECT_TRUE(writer.Append(data).ok() && writer.Commit().ok());
    const StatusOr<UpdateReader> reader = UpdateReader::Open(path_, schema_);
    return reader.ok() ? reader->Check() : reader.status();
  }

  consilium::testing::ScratchFolder scratch_;
  const std::filesystem::path path_ = scratch_ / "update.safetensors", hostile_ = scratch_ / "hostile.safetensors";
  int descriptor_ = -1;
  std::shared_ptr<const Schema> schema_ = SmallSchema();
};

TEST_F(HostileUpdate, EveryTruncationIsDataLoss) {
  for (const Compression scheme : kSchemes) {
    const std::string good = Written(scheme);
    ASSERT_TRUE(OpenAndCheck(good).ok());
    for (std::size_t size = 0; size < good.size(); ++size)
      ASSERT_EQ(OpenAndCheck(good.substr(0, size)).code(), StatusCode::kDataLoss) << size;
  }
}

TEST_F(HostileUpdate, EveryFlippedBitIsDataLossOrDecodesToFiniteValues) {
  for (const Compression scheme : kSchemes) {
    const std::string good = Written(scheme);
    std::size_t refused = 0;
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
      std::string flipped = good;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
      const Status status = OpenAndCheck(flipped);
      refused += !status.ok();
      if (!status.ok()) {
        ASSERT_EQ(status.code(), StatusCode::kDataLoss) << "bit " << bit << ": " << status;
        continue;
      }
      const ParameterVector values = ReadWhole(UpdateReader::Open(hostile_, schema_).value(), schema_);
      for (const float value : values.values()) ASSERT_TRUE(std::isfinite(value)) << "bit " << bit;
    }
    EXPECT_GT(refused, good.size()) << "at least the header is protected";
  }
}

Bytes Raw(std::initializer_list<ByteSpan> parts) {
  Bytes bytes;
  for (const ByteSpan part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}
template <typename T>
ByteSpan View(const std::vector<T>& values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(T)};
}

TEST_F(HostileUpdate, ScalesThatNoEncoderGivesAreRefused) {
  schema_ = std::make_shared<const Schema>(Schema::Create({{"w", DType::kF32, {4}}}).value());
  const auto with = [&](const char* compression, DType dtype, std::vector<std::int64_t> scales, float scale) {
    const std::vector<float> value = {scale};
    return OpenAndCheck({{"consilium.update", "delta"}, {"consilium.compression", compression}},
                        {{"codec.scale.w", DType::kF32, scales}, {"w", dtype, {4}}},
                        Raw({View(value), Bytes(4 * tensor::DTypeBytes(dtype), 1)}));
  };
  EXPECT_TRUE(with("fp16", DType::kF16, {}, 0.5f).ok());
  EXPECT_TRUE(with("int8", DType::kI8, {1}, 0.3f).ok());
  EXPECT_TRUE(with("int8", DType::kI8, {1}, 0.0f).ok());
  for (const float bad : {std::nanf(""), HUGE_VALF, -1.0f, 3e38f}) {
    EXPECT_THAT(with("fp16", DType::kF16, {}, bad).message(), HasSubstr("tensor 'w' has the scale"));
    EXPECT_THAT(with("int8", DType::kI8, {1}, bad).message(), HasSubstr("tensor 'w' has the scale"));
  }
  EXPECT_FALSE(with("fp16", DType::kF16, {}, 0.3f).ok());
}

TEST_F(HostileUpdate, TopKEntriesOutOfOrderOrBoundsAreRefused) {
  schema_ = std::make_shared<const Schema>(Schema::Create({{"w", DType::kF32, {70000}}}).value());
  const auto with = [&](const std::vector<std::int32_t>& ends, const std::vector<std::uint16_t>& indices) {
    const std::vector<float> values(indices.size(), 1.0f);
    const auto count = static_cast<std::int64_t>(indices.size());
    return OpenAndCheck({{"consilium.update", "delta"}, {"consilium.compression", "topk"}},
                        {{"codec.end.w", DType::kI32, {static_cast<std::int64_t>(ends.size())}},
                         {"codec.index.w", DType::kU16, {count}},
                         {"codec.value.w", DType::kF32, {count}}},
                        Raw({View(ends), View(indices), View(values)}));
  };
  EXPECT_TRUE(with({2, 3}, {0, 65535, 4463}).ok());
  EXPECT_TRUE(with({0, 0}, {}).ok());
  constexpr std::int32_t kHuge = std::numeric_limits<std::int32_t>::max();
  for (const auto& ends : std::vector<std::vector<std::int32_t>>{
           {2, 2}, {2, 4}, {4, 3}, {-1, 3}, {kHuge, 3}, {-kHuge - 1, 3}, {0, -1}, {3}, {1, 2, 3}, {}})
    EXPECT_EQ(with(ends, {0, 65535, 4463}).code(), StatusCode::kDataLoss) << ::testing::PrintToString(ends);
  for (const auto& indices : std::vector<std::vector<std::uint16_t>>{{5, 5, 1}, {6, 5, 1}, {5, 6, 4464}})
    EXPECT_THAT(with({2, 3}, indices).message(), HasSubstr("out of order or bounds"));
}

TEST_F(HostileUpdate, MetadataThatNobodyWritesIsRefused) {
  const Bytes data(4 * 43);
  const auto with = [&](const tensor::Metadata& metadata) {
    return OpenAndCheck(metadata, {{"b", DType::kF32, {3}}, {"w", DType::kF32, {5, 8}}}, data).message();
  };
  EXPECT_EQ(with({}), "");
  EXPECT_THAT(with({{"consilium.update", "gradient"}}), HasSubstr("expected weights or delta"));
  EXPECT_THAT(with({{"consilium.compression", "zip"}}), HasSubstr("there are none, fp16, int8 and topk"));
  EXPECT_THAT(with({{"consilium.compression", "int8"}}), HasSubstr("a compressed update is a delta"));
  EXPECT_THAT(with({{"consilium.update", "delta"}, {"consilium.compression", "int8"}}),
              HasSubstr("tensor 'b' is F32, expected I8"));
}

TEST_F(HostileUpdate, MissingForeignAndMisshapenTensorsAreNamed) {
  const auto with = [&](std::vector<tensor::TensorSpec> specs) {
    const Bytes data(Schema::Create(specs).value().elements() * 4);
    return OpenAndCheck({}, std::move(specs), data).message();
  };
  EXPECT_THAT(with({{"b", DType::kF32, {3}}}), HasSubstr("tensor 'w' is missing"));
  EXPECT_THAT(with({{"b", DType::kF32, {3}}, {"w", DType::kF32, {8, 5}}}),
              HasSubstr("tensor 'w' has shape [8, 5], expected [5, 8]"));
  EXPECT_THAT(with({{"b", DType::kF32, {3}}, {"w", DType::kF32, {5, 8}}, {"x", DType::kF32, {1}}}),
              HasSubstr("tensor 'x' is not known here"));
  EXPECT_THAT(with({{"aux.control.b", DType::kF32, {3}}, {"b", DType::kF32, {3}}, {"w", DType::kF32, {5, 8}}}),
              HasSubstr("tensor 'aux.control.b' is not known here"));
}

TEST_F(HostileUpdate, AnAuxiliaryPartThatTheStrategyNeedsMustBeThere) {
  const ParameterVector values = RandomDelta(1, schema_);
  ASSERT_TRUE(WriteUpdate(path_, {.values = &values}).ok());
  EXPECT_THAT(UpdateReader::Open(path_, schema_, {"control_delta"}).status().message(),
              HasSubstr("tensor 'aux.control_delta.b' is missing"));
}

TEST_F(HostileUpdate, UncompressedValuesThatAreNotFiniteAreNamed) {
  ParameterVector values = RandomDelta(1, schema_);
  values.tensor(1)[7] = HUGE_VALF;
  ASSERT_TRUE(WriteUpdate(path_, {.values = &values}).ok());
  EXPECT_THAT(UpdateReader::Open(path_, schema_).value().Check().message(),
              HasSubstr("tensor 'w' has inf at index 7; every value must be finite"));
}

}  // namespace
}  // namespace consilium::wire
