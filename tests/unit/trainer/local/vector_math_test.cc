#include "trainer/local/vector_math.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace consilium::trainer {
namespace {

using tensor::ParameterVector;
using testing::ElementsAre;
using testing::HasSubstr;

ParameterVector Vector(std::vector<std::string> names, const std::vector<float>& values) {
  std::vector<tensor::TensorSpec> specs;
  for (std::string& name : names) specs.push_back({std::move(name), tensor::DType::kF32, {2}});
  auto schema = tensor::Schema::Create(std::move(specs));
  auto vector = ParameterVector::Zeros(std::make_shared<const tensor::Schema>(*schema));
  std::copy(values.begin(), values.end(), vector->values().begin());
  return *vector;
}

TEST(VectorMath, DifferenceAndScaledSum) {
  const ParameterVector a = Vector({"w"}, {5, 7}), b = Vector({"w"}, {1, 10});
  EXPECT_THAT(Difference(a, b).values(), ElementsAre(4, -3));
  ParameterVector sum = a;
  AddScaled(&sum, b, -2);
  EXPECT_THAT(sum.values(), ElementsAre(3, -13));
  EXPECT_TRUE(IsZero(Difference(a, a)));
  EXPECT_FALSE(IsZero(a));
}

TEST(VectorMath, APartIsTakenOutAndPutBackByName) {
  const ParameterVector whole = Vector({"a", "b", "c"}, {1, 2, 3, 4, 5, 6});
  const auto middle = Selected(whole, Vector({"b"}, {0, 0}).shared_schema());
  ASSERT_TRUE(middle.ok()) << middle.status();
  EXPECT_THAT(middle->values(), ElementsAre(3, 4));
  ParameterVector mixed = whole;
  ASSERT_TRUE(Overlay(Vector({"a", "c"}, {10, 20, 30, 40}), &mixed).ok());
  EXPECT_THAT(mixed.values(), ElementsAre(10, 20, 3, 4, 30, 40));
}

TEST(VectorMath, ATensorThatIsNotThereIsNamedAndNothingChanges) {
  ParameterVector whole = Vector({"a", "b"}, {1, 2, 3, 4});
  EXPECT_THAT(Selected(whole, Vector({"x"}, {0, 0}).shared_schema()).status().message(), HasSubstr("'x'"));
  EXPECT_EQ(Overlay(Vector({"a", "x"}, {9, 9, 9, 9}), &whole).code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(whole.values(), ElementsAre(1, 2, 3, 4));
}

}  // namespace
}  // namespace consilium::trainer
