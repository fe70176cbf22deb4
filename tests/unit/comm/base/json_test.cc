#include "comm/base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "comm/base/file.h"

namespace consilium {
namespace {

TEST(Json, AnErrorNamesTheSourceAndThePlace) {
  const Status status = ParseJson("{\n\"a\": 1,\n}", "dataset.json").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message().find("dataset.json is not valid JSON: parse error at line 3, column 1:"), 0u)
      << status.message();
}

TEST(Json, KeysKeepTheOrderOfTheFile) {
  EXPECT_EQ(ParseJson("{\"b\": 1, \"a\": 2}", "x").value().dump(), "{\"b\":1,\"a\":2}");
}

TEST(Json, DeepNestingDoesNotOverflowTheStack) {
  EXPECT_TRUE(ParseJson(std::string(200'000, '[') + std::string(200'000, ']'), "x").ok());
  EXPECT_FALSE(ParseJson(std::string(200'000, '['), "x").ok());
}

TEST(Json, AWrittenFileReadsBackAndNotANumberBecomesNull) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "json_test.json";
  ASSERT_TRUE(WriteJson(path, {{"dice", std::nan("")}, {"text", "bad utf-8: \xff"}, {"n", 3}}).ok());
  const Json json = ReadJson(path).value();
  EXPECT_TRUE(json["dice"].is_null());
  EXPECT_EQ(json["n"], 3);
  std::filesystem::remove(path);
  EXPECT_EQ(ReadJson(path).code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace consilium
