#include "comm/base/findings.h"

#include <gtest/gtest.h>

#include <sstream>

namespace consilium {
namespace {

const std::vector<Finding> kFindings{{.subject = "libtorch", .detail = "1.13.1"},
                                     {.level = FindingLevel::kWarn,
                                      .subject = "blas",
                                      .detail = "reference BLAS",
                                      .mend = "apt-get install libopenblas0-pthread",
                                      .values = {{"gflops", 3.5}}}};

TEST(Findings, PrintOneLineEachWithTheMendBelow) {
  std::ostringstream out;
  PrintFindings(kFindings, out);
  EXPECT_EQ(out.str(),
            "OK    libtorch  1.13.1\n"
            "WARN  blas      reference BLAS\n"
            "                mend: apt-get install libopenblas0-pthread\n");
}

TEST(Findings, JsonComesBackAsItWas) {
  const Json json = FindingsToJson(kFindings);
  EXPECT_EQ(json["worst"], "warn");
  const std::vector<Finding> again = FindingsFromJson(json).value();
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(FindingsToJson(again), json);
  EXPECT_EQ(again[1].level, FindingLevel::kWarn);
  EXPECT_EQ(again[1].values["gflops"], 3.5);
}

TEST(Findings, OtherJsonIsRefused) {
  for (const Json& bad : {Json(3), Json::object(), Json{{"findings", 3}}, Json{{"findings", {3}}},
                          Json{{"findings", {{{"level", "ok"}}}}},
                          Json{{"findings", {{{"level", "bad"}, {"subject", "a"}, {"detail", "b"}, {"mend", ""}}}}}})
    EXPECT_EQ(FindingsFromJson(bad).code(), StatusCode::kInvalidArgument) << bad;
}

TEST(Findings, TheWorstLevelCounts) {
  EXPECT_EQ(WorstOf({}), FindingLevel::kOk);
  EXPECT_EQ(WorstOf(kFindings), FindingLevel::kWarn);
  std::vector<Finding> failing = kFindings;
  failing.push_back({.level = FindingLevel::kFail, .subject = "x", .detail = "y"});
  EXPECT_EQ(WorstOf(failing), FindingLevel::kFail);
}

}  // namespace
}  // namespace consilium
