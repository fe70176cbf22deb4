#include "comm/tensor/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace consilium::tensor {
namespace {

using ::testing::HasSubstr;

TEST(SchemaTest, OrderOfTheInputDoesNotMatter) {
  const TensorSpec a{"a", DType::kF32, {2, 3}}, b{"b", DType::kI64, {}};
  const Schema one = Schema::Create({a, b}).value(), two = Schema::Create({b, a}).value();
  EXPECT_EQ(one, two);
  EXPECT_EQ(one.digest(), two.digest());
  EXPECT_EQ(one.tensors()[0].name, "a");
  EXPECT_EQ(one.elements(), 7);  // 2 x 3, and a scalar
}

TEST(SchemaTest, NamesAreOrderedByTheirBytes) {
  const Schema schema =
      Schema::Create(
          {{"b", DType::kF32, {}}, {"a.10", DType::kF32, {}}, {"a.2", DType::kF32, {}}, {"B", DType::kF32, {}}})
          .value();
  std::vector<std::string> names;
  for (const TensorSpec& spec : schema.tensors()) names.push_back(spec.name);
  EXPECT_THAT(names, ::testing::ElementsAre("B", "a.10", "a.2", "b"));
}

TEST(SchemaTest, EveryDifferenceChangesTheDigest) {
  const auto digest = [](const TensorSpec& spec) { return Schema::Create({spec}).value().digest(); };
  const Digest base = digest({"a", DType::kF32, {2, 3}});
  EXPECT_NE(digest({"b", DType::kF32, {2, 3}}), base);
  EXPECT_NE(digest({"a", DType::kI32, {2, 3}}), base);
  EXPECT_NE(digest({"a", DType::kF32, {3, 2}}), base);
  EXPECT_NE(digest({"a", DType::kF32, {6}}), base);
  EXPECT_NE(digest({"a", DType::kF32, {2, 3, 1}}), base);
  // Two tensors are not one whose name runs into the next.
  EXPECT_NE(Schema::Create({{"a", DType::kF32, {}}, {"b", DType::kF32, {}}}).value().digest(),
            Schema::Create({{"ab", DType::kF32, {}}}).value().digest());
}

TEST(SchemaTest, BadTensorsAreRefusedByName) {
  const auto refused = [](std::vector<TensorSpec> tensors, const std::string& reason) {
    const auto schema = Schema::Create(std::move(tensors));
    EXPECT_EQ(schema.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(schema.status().message(), HasSubstr(reason));
  };
  refused({{"", DType::kF32, {}}}, "no name");
  refused({{"__metadata__", DType::kF32, {}}}, "__metadata__");
  refused({{"x", DType::kF32, {}}, {"x", DType::kI64, {}}}, "'x' is there twice");
  refused({{"x", DType::kF32, {2, -1}}}, "negative size in [2, -1]");
  const std::int64_t big = std::int64_t{1} << 48;
  refused({{"x", DType::kF32, {big + 1}}}, "too large");
  refused({{"x", DType::kF32, {big, big}}}, "too large");
  refused({{"x", DType::kF32, {INT64_MAX, INT64_MAX, 0}}}, "too large");
  refused({{"x", DType::kF32, {big}}, {"y", DType::kF32, {1}}}, "2^48 elements in all");
  EXPECT_EQ(Schema::Create({{"x", DType::kF32, {0, INT64_MAX}}}).value().elements(), 0);
}

TEST(SchemaTest, TheFirstDifferenceIsSaidInWords) {
  const Schema mine = Schema::Create({{"a", DType::kF32, {3}}, {"b", DType::kF32, {4}}}).value();
  const auto against = [&](std::vector<TensorSpec> tensors) {
    return mine.CheckSame(Schema::Create(std::move(tensors)).value());
  };
  EXPECT_TRUE(against({{"a", DType::kF32, {3}}, {"b", DType::kF32, {4}}}).ok());
  EXPECT_EQ(against({{"a", DType::kF32, {3}}}).message(), "tensor 'b' is missing");
  EXPECT_EQ(against({{"b", DType::kF32, {4}}}).message(), "tensor 'a' is missing");
  EXPECT_EQ(against({{"a", DType::kF32, {3}}, {"aa", DType::kF32, {1}}, {"b", DType::kF32, {4}}}).message(),
            "tensor 'aa' is not known here");
  EXPECT_EQ(against({{"a", DType::kF32, {3}}, {"b", DType::kF32, {4}}, {"c", DType::kF32, {}}}).message(),
            "tensor 'c' is not known here");
  EXPECT_EQ(against({{"a", DType::kF16, {3}}, {"b", DType::kF32, {4}}}).message(), "tensor 'a' is F16, expected F32");
  EXPECT_EQ(against({{"a", DType::kF32, {3}}, {"b", DType::kF32, {2, 2}}}).message(),
            "tensor 'b' has shape [2, 2], expected [4]");
}

TEST(SchemaTest, TypeNamesReadBack) {
  for (int i = 0; i <= static_cast<int>(DType::kU16); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(DTypeFromName(DTypeName(dtype)).value(), dtype);
    EXPECT_GT(DTypeBytes(dtype), 0u);
  }
  EXPECT_EQ(DTypeFromName("F8_E4M3").code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace consilium::tensor
