#include "comm/base/json_number.h"

#include <gtest/gtest.h>

namespace consilium {
namespace {

TEST(WholeNumber, TakesWhatTheTypeHolds) {
  EXPECT_EQ(WholeNumber<int>(Json::parse("-2147483648")), -2147483648);
  EXPECT_EQ(WholeNumber<std::uint64_t>(Json::parse("18446744073709551615")), 18446744073709551615U);
  EXPECT_EQ(WholeNumber<std::uint32_t>(Json(7)), 7U) << "a signed number from our own code";
}

TEST(WholeNumber, RefusesFractionsAndWhatIsTooLargeOrNoNumber) {
  for (const char* text : {"1.5", "1e300", "111111111111111111111111111", "2147483648", "-2147483649", "true", "\"1\"",
                           "null", "[1]", "1.0"})
    EXPECT_THROW(WholeNumber<int>(Json::parse(text)), Json::exception) << text;
  EXPECT_THROW(WholeNumber<std::uint32_t>(Json::parse("-1")), Json::exception);
}

}  // namespace
}  // namespace consilium
