#include "coordinator/service/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "comm/base/rng.h"
#include "tests/testing/run_program.h"

namespace consilium::coordinator {
namespace {

using tensor::ParameterVector;
using ::testing::HasSubstr;

std::shared_ptr<const tensor::Schema> SchemaOf(std::vector<tensor::TensorSpec> tensors) {
  return std::make_shared<const tensor::Schema>(tensor::Schema::Create(std::move(tensors)).value());
}

// Larger than a tile (65536 values), with a tail, a scalar and an empty tensor.
std::shared_ptr<const tensor::Schema> Awkward() {
  return SchemaOf({{"big.weight", tensor::DType::kF32, {3, 50001}},
                   {"empty", tensor::DType::kF32, {0, 5}},
                   {"scale", tensor::DType::kF32, {}},
                   {"tile", tensor::DType::kF32, {65536}}});
}

ParameterVector Random(const std::shared_ptr<const tensor::Schema>& schema, std::uint64_t seed) {
  ParameterVector vector = ParameterVector::Zeros(schema).value();
  Rng rng(seed);
  for (float& value : vector.values()) value = static_cast<float>(rng.Normal());
  return vector;
}

class ModelFile : public ::testing::Test {
 protected:
  std::filesystem::path Write(const std::string& name, const ParameterVector& vector) {
    EXPECT_TRUE(tensor::WriteParameters(scratch_ / name, vector, {{"format", "pt"}}).ok());
    return scratch_ / name;
  }
  consilium::testing::ScratchFolder scratch_;
};

TEST_F(ModelFile, TheStreamedDigestIsTheVectorsDigest) {
  const ParameterVector vector = Random(Awkward(), 1);
  const StatusOr<Digest> digest = ParametersDigest(Write("model", vector));
  ASSERT_TRUE(digest.ok()) << digest.status();
  EXPECT_EQ(*digest, vector.digest());
}

TEST_F(ModelFile, AnUpdateWithOtherTensorsIsRefusedByTheTensorsName) {
  const auto model = Write("model", Random(Awkward(), 1));
  const auto other = SchemaOf({{"big.weight", tensor::DType::kF32, {3, 50000}},
                               {"empty", tensor::DType::kF32, {0, 5}},
                               {"scale", tensor::DType::kF32, {}},
                               {"tile", tensor::DType::kF32, {65536}}});
  const Status status = CheckUpdateFile(Write("update", Random(other, 2)), model);
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("big.weight"));
}

TEST_F(ModelFile, AnUpdateWithOneBadValueIsRefusedByTensorAndIndex) {
  const auto schema = Awkward();
  const auto model = Write("model", Random(schema, 1));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    ParameterVector update = Random(schema, 2);
    update.tensor(0)[150000] = bad;
    const Status status = CheckUpdateFile(Write("update", update), model);
    EXPECT_EQ(status.code(), StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), HasSubstr("tensor 'big.weight'"));
    EXPECT_THAT(status.message(), HasSubstr("at index 150000"));
  }
  EXPECT_TRUE(CheckUpdateFile(Write("update", Random(schema, 2)), model).ok());
}

TEST_F(ModelFile, AMissingOrTornUpdateIsTheSitesFaultAndOurFoldersStayPrivate) {
  const auto model = Write("model", Random(Awkward(), 1));
  EXPECT_EQ(CheckUpdateFile(scratch_ / "absent", model).message(), "the update was announced but never uploaded");
  std::string bytes = ReadFile(model).value();
  bytes.resize(bytes.size() / 2);
  ASSERT_TRUE(WriteFileAtomic(scratch_ / "torn", bytes).ok());
  const Status torn = CheckUpdateFile(scratch_ / "torn", model);
  EXPECT_EQ(torn.code(), StatusCode::kDataLoss);
  EXPECT_THAT(torn.message(), ::testing::Not(HasSubstr(scratch_.path().string())));
}

TEST_F(ModelFile, AModelToStartFromHasToBeFiniteAndOfF32) {
  ParameterVector model = Random(Awkward(), 1);
  EXPECT_TRUE(CheckModelFile(Write("model", model)).ok());
  model.values()[7] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(CheckModelFile(Write("model", model)).code(), StatusCode::kInvalidArgument);
  const tensor::Schema integers = tensor::Schema::Create({{"steps", tensor::DType::kI64, {2}}}).value();
  StatusOr<tensor::SafetensorsWriter> writer = tensor::SafetensorsWriter::Create(scratch_ / "integers", integers);
  ASSERT_TRUE(writer.ok() && writer->Append(Bytes(16)).ok() && writer->Commit().ok());
  EXPECT_THAT(CheckModelFile(scratch_ / "integers").message(), HasSubstr("tensor 'steps' is I64"));
  EXPECT_EQ(CheckModelFile(scratch_ / "absent").code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace consilium::coordinator
