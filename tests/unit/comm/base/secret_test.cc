#include "comm/base/secret.h"

#include <gtest/gtest.h>

#include <ostream>
#include <type_traits>

namespace consilium {
namespace {

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};

static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
static_assert(!Printable<SecretBytes>, "a secret must not reach a log by accident");

TEST(SecretBytes, ComparesByContent) {
  const SecretBytes a(Bytes{1, 2, 3}), same(Bytes{1, 2, 3}), other(Bytes{1, 2, 4}), shorter(Bytes{1, 2});
  EXPECT_TRUE(a.EqualsConstantTime(same));
  EXPECT_FALSE(a.EqualsConstantTime(other));
  EXPECT_FALSE(a.EqualsConstantTime(shorter));
  EXPECT_TRUE(SecretBytes().EqualsConstantTime(SecretBytes()));
}

TEST(SecretBytes, MovingLeavesNothingBehind) {
  SecretBytes a(Bytes{1, 2, 3});
  const SecretBytes b = std::move(a);
  EXPECT_EQ(a.Reveal().size(), 0u);
  EXPECT_EQ(b.Reveal().size(), 3u);
  SecretBytes c(Bytes{9});
  c = SecretBytes(Bytes{4, 5});
  EXPECT_EQ(c.Reveal()[1], 5);
}

TEST(SecretBytes, CanBeFilledInPlace) {
  SecretBytes secret(4);
  secret.RevealMutable()[2] = 7;
  EXPECT_EQ(secret.Reveal()[2], 7);
}

}  // namespace
}  // namespace consilium
