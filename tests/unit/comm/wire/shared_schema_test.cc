#include "comm/wire/shared_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace consilium::wire {
namespace {

using tensor::DType;
using tensor::Schema;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Schema Model() {
  return Schema::Create({{"encoder.0.conv.weight", DType::kF32, {4, 2}},
                         {"encoder.0.norm.weight", DType::kF32, {4}},
                         {"encoder.0.norm.running_mean", DType::kF32, {4}},
                         {"head.weight", DType::kF32, {3}}})
      .value();
}

std::vector<std::string> Names(const Schema& schema) {
  std::vector<std::string> names;
  for (const auto& spec : schema.tensors()) names.push_back(spec.name);
  return names;
}

TEST(GlobTest, StarsAndQuestionMarksMatchAsInAShell) {
  for (const auto& [pattern, text] : {std::pair{"*.norm.*", "a.b.norm.weight"},
                                      {"*", ""},
                                      {"a", "a"},
                                      {"a?c", "abc"},
                                      {"*a*b*", "xaxbx"},
                                      {"a*", "a"},
                                      {"**", "x"},
                                      {"*.weight", "a.weight.weight"}})
    EXPECT_TRUE(GlobMatches(pattern, text)) << pattern << " " << text;
  for (const auto& [pattern, text] : {std::pair{"*.norm.*", "norm.weight"},
                                      {"", "a"},
                                      {"a", ""},
                                      {"a?c", "ac"},
                                      {"*a*b", "xbxa"},
                                      {"a", "ab"},
                                      {"[ab]", "a"}})
    EXPECT_FALSE(GlobMatches(pattern, text)) << pattern << " " << text;
}

TEST(GlobTest, APatternOfManyStarsTakesNoExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(GlobMatches(pattern + "b", std::string(1000, 'a')));
}

TEST(SharedSchemaTest, WhatNoPatternMatchesIsShared) {
  EXPECT_EQ(SharedSchema(Model(), {}).value(), Model());
  EXPECT_THAT(Names(SharedSchema(Model(), {"*.norm.*"}).value()), ElementsAre("encoder.0.conv.weight", "head.weight"));
  EXPECT_THAT(Names(SharedSchema(Model(), {"head.*", "*.running_*"}).value()),
              ElementsAre("encoder.0.conv.weight", "encoder.0.norm.weight"));
}

TEST(SharedSchemaTest, APatternThatMatchesNothingIsRefused) {
  const Status status = SharedSchema(Model(), {"*.norm.*", "heads.*"}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("'heads.*' matches none of the model's 4 tensors"));
}

TEST(SharedSchemaTest, SomethingMustBeLeftToShare) {
  EXPECT_THAT(SharedSchema(Model(), {"*"}).status().message(), HasSubstr("every tensor"));
}

TEST(SharedSchemaTest, NamesThatUpdateFilesUseAreRefused) {
  for (const char* name : {"aux.weight", "codec.scale.weight"}) {
    const Schema model = Schema::Create({{name, DType::kF32, {1}}, {"b", DType::kF32, {1}}}).value();
    EXPECT_THAT(SharedSchema(model, {}).status().message(), HasSubstr(name));
    EXPECT_TRUE(SharedSchema(model, {name}).ok());  // it does not travel
  }
}

}  // namespace
}  // namespace consilium::wire
