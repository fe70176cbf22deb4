#include "comm/base/ids.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <type_traits>

namespace consilium {
namespace {

static_assert(!std::is_convertible_v<SiteName, JobId> && !std::is_convertible_v<std::string, SiteName>);
static_assert(!std::is_convertible_v<Round, Attempt> && !std::is_convertible_v<int, Round>);

TEST(Ids, SitesAreOrderedByTheirBytes) {
  const std::set<SiteName> sites{SiteName("site-b"), SiteName("site-10"), SiteName("site-2")};
  EXPECT_EQ(sites.begin()->value(), "site-10");
  EXPECT_EQ(sites.rbegin()->value(), "site-b");
}

TEST(Ids, PrintAsTheirValue) {
  std::ostringstream out;
  out << SiteName("a") << " " << Round(3) << " " << Attempt(1) << " " << SessionId(9);
  EXPECT_EQ(out.str(), "a 3 1 9");
}

TEST(Ids, NamesAreSafeInFilesCertificatesAndLogs) {
  for (const char* good : {"a", "hospital-a", "7", "x1-2-3"}) EXPECT_TRUE(IsValidName(good)) << good;
  EXPECT_TRUE(IsValidName(std::string(63, 'a')));
  for (const char* bad : {"", "-a", "a-", "A", "a b", "a.b", "a/b", "..", "a\n", "ä", "a_b"})
    EXPECT_FALSE(IsValidName(bad)) << bad;
  EXPECT_FALSE(IsValidName(std::string(64, 'a')));
  EXPECT_FALSE(IsValidName(std::string("a\0b", 3)));
}

}  // namespace
}  // namespace consilium
