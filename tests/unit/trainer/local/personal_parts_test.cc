#include "trainer/local/personal_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace consilium::trainer {
namespace {

using tensor::ParameterVector;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ParameterVector Vector(const std::vector<std::string>& names, const std::vector<float>& values) {
  std::vector<tensor::TensorSpec> specs;
  for (const std::string& name : names) specs.push_back({name, tensor::DType::kF32, {1}});
  auto schema = tensor::Schema::Create(std::move(specs));
  auto vector = ParameterVector::Zeros(std::make_shared<const tensor::Schema>(*schema));
  std::copy(values.begin(), values.end(), vector->values().begin());
  return *vector;
}

const std::vector<std::string> kNames = {"a.conv.weight", "a.norm.weight", "b.conv.weight"};

TEST(PersonalParts, AModelIsSplitByItsPatterns) {
  const ParameterVector model = Vector(kNames, {1, 2, 3});
  const auto parts = SplitModel(model.schema(), {"*.norm.*"});
  ASSERT_TRUE(parts.ok()) << parts.status();
  EXPECT_EQ(parts->shared->tensors().size(), 2u);
  ASSERT_EQ(parts->personal->tensors().size(), 1u);
  EXPECT_EQ(parts->personal->tensors()[0].name, "a.norm.weight");
  EXPECT_TRUE(SplitModel(model.schema(), {})->personal->tensors().empty());
}

TEST(PersonalParts, APatternWithoutATensorAndAModelWithoutSharedOnesAreRefused) {
  const ParameterVector model = Vector(kNames, {1, 2, 3});
  const auto typo = SplitModel(model.schema(), {"*.nrom.*"});
  EXPECT_EQ(typo.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(typo.status().message(), HasSubstr("*.nrom.*"));
  EXPECT_EQ(SplitModel(model.schema(), {"*"}).code(), StatusCode::kInvalidArgument);
}

TEST(PersonalParts, TheSitesOwnComeBeforeTheReceivedAndTheseBeforeTheInitial) {
  const ParameterVector initial = Vector(kNames, {1, 2, 3}), all = Vector(kNames, {10, 20, 30});
  const ParameterVector shared = Vector({kNames[0], kNames[2]}, {100, 300});
  const ModelParts parts = *SplitModel(initial.schema(), {"*.norm.*"});
  EXPECT_THAT(AssembleModel(shared, initial, parts, SiteState())->values(), ElementsAre(100, 2, 300));
  EXPECT_THAT(AssembleModel(all, initial, parts, SiteState())->values(), ElementsAre(10, 20, 30));
  SiteState state;
  state.Set(state_part::kPersonal, Vector({kNames[1]}, {7}));
  EXPECT_THAT(AssembleModel(all, initial, parts, state)->values(), ElementsAre(10, 7, 30));
  EXPECT_THAT(AssembleModel(shared, initial, parts, state)->values(), ElementsAre(100, 7, 300));
}

TEST(PersonalParts, AReceivedModelThatLacksASharedTensorOrAStateOfAnotherModelIsNamed) {
  const ParameterVector initial = Vector(kNames, {1, 2, 3});
  const ModelParts parts = *SplitModel(initial.schema(), {"*.norm.*"});
  const auto lacking = AssembleModel(Vector({kNames[0]}, {1}), initial, parts, SiteState());
  EXPECT_EQ(lacking.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(lacking.status().message(), HasSubstr("b.conv.weight"));
  SiteState state;
  state.Set(state_part::kPersonal, Vector({"c.norm.weight"}, {7}));
  EXPECT_EQ(AssembleModel(initial, initial, parts, state).code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace consilium::trainer
