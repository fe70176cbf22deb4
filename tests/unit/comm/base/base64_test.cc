#include "comm/base/base64.h"

#include <gtest/gtest.h>

namespace consilium {
namespace {

TEST(Base64, IsThatOfTheRfc) {  // section 10
  EXPECT_EQ(ToBase64({}), "");
  EXPECT_EQ(ToBase64(AsBytes("f")), "Zg==");
  EXPECT_EQ(ToBase64(AsBytes("fo")), "Zm8=");
  EXPECT_EQ(ToBase64(AsBytes("foo")), "Zm9v");
  EXPECT_EQ(ToBase64(AsBytes("foob")), "Zm9vYg==");
  EXPECT_EQ(ToBase64(AsBytes("foobar")), "Zm9vYmFy");
}

}  // namespace
}  // namespace consilium
