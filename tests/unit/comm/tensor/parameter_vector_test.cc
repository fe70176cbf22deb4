#include "comm/tensor/parameter_vector.h"

#include <gtest/gtest.h>

#include <cmath>

namespace consilium::tensor {
namespace {

std::shared_ptr<const Schema> TwoTensors() {
  return std::make_shared<const Schema>(
      Schema::Create({{"w", DType::kF32, {2, 3}}, {"b", DType::kF32, {2}}, {"empty", DType::kF32, {0}}}).value());
}

TEST(ParameterVectorTest, TensorsAreWindowsOntoTheValuesInNameOrder) {
  ParameterVector vector = ParameterVector::Zeros(TwoTensors()).value();
  ASSERT_EQ(vector.values().size(), 8u);
  for (std::size_t i = 0; i < 8; ++i) vector.values()[i] = static_cast<float>(i);
  EXPECT_EQ(vector.tensor(0).size(), 2u);  // b
  EXPECT_EQ(vector.tensor(1).size(), 0u);  // empty
  EXPECT_EQ(vector.tensor(2).size(), 6u);  // w
  EXPECT_EQ(vector.tensor(2)[0], 2.0f);
  vector.tensor(0)[1] = 42;
  EXPECT_EQ(vector.values()[1], 42.0f);
}

TEST(ParameterVectorTest, OnlyF32IsAParameter) {
  const auto schema = std::make_shared<const Schema>(Schema::Create({{"n", DType::kI64, {}}}).value());
  const auto vector = ParameterVector::Zeros(schema);
  EXPECT_EQ(vector.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(vector.status().message().find("'n' is I64"), std::string::npos);
}

TEST(ParameterVectorTest, DigestsAreEqualExactlyForEqualBits) {
  ParameterVector one = ParameterVector::Zeros(TwoTensors()).value(), two = one;
  EXPECT_EQ(one.digest(), two.digest());
  two.values()[3] = -0.0f;  // equal in value, not in bits
  EXPECT_NE(one.digest(), two.digest());
  two.values()[3] = std::nextafter(0.0f, 1.0f);
  EXPECT_NE(one.digest(), two.digest());
  two.values()[3] = 0.0f;
  EXPECT_EQ(one.digest(), two.digest());
  const auto reshaped = std::make_shared<const Schema>(
      Schema::Create({{"w", DType::kF32, {3, 2}}, {"b", DType::kF32, {2}}, {"empty", DType::kF32, {0}}}).value());
  EXPECT_NE(ParameterVector::Zeros(reshaped).value().digest(), one.digest());
}

TEST(ParameterVectorTest, CopiesAreTheirOwn) {
  ParameterVector one = ParameterVector::Zeros(TwoTensors()).value();
  ParameterVector two = one;
  two.values()[0] = 1;
  EXPECT_EQ(one.values()[0], 0.0f);
  EXPECT_EQ(&one.schema(), &two.schema());
  EXPECT_EQ(ParameterVector().values().size(), 0u);
}

}  // namespace
}  // namespace consilium::tensor
