#include "privacy/pki/roster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/base/json.h"
#include "privacy/pki/utc.h"
#include "tests/unit/privacy/pki/pki_fixture.h"

namespace consilium::pki {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RosterTest : public ::testing::Test {
 protected:
  StatusOr<Roster> Verify(const std::string& text, WallTime now = kNow) const {
    return Roster::Verify(text, kit_.authority.certificate, now, "roster.json");
  }
  KitOnDisk kit_;
  const Roster roster_ = Roster::Sign(kit_.roster, kit_.authority.key).value();
};

TEST_F(RosterTest, WhatTheAuthoritySignedReadsBackTheSameForEverybody) {
  const Roster read = Verify(roster_.ToText()).value();
  EXPECT_EQ(read.contents(), roster_.contents());
  EXPECT_EQ(read.digest(), roster_.digest());
  EXPECT_EQ(read.ToText(), roster_.ToText());
  EXPECT_THAT(read.sites(), ElementsAre(SiteName("alpha"), SiteName("beta")));
  EXPECT_EQ(read.KeyOf(SiteName("alpha"), kNow).value(), kit_.key.public_key());
}

TEST_F(RosterTest, TheSignatureIsOverTheFieldsAndNotOverTheirLayout) {
  const Json json = ParseJson(roster_.ToText(), "roster").value();
  EXPECT_TRUE(Verify(json.dump()).ok());
}

TEST_F(RosterTest, NoFieldCanBeChangedWithoutTheAuthority) {
  const Json original = ParseJson(roster_.ToText(), "roster").value();
  const std::vector<std::pair<const char*, Json>> changes = {{"/project", "lung"},
                                                             {"/serial", 8},
                                                             {"/issued", "2026-01-01"},
                                                             {"/expires", "2036-01-01T00:00:00Z"},
                                                             {"/parties/1/name", "alphb"},
                                                             {"/parties/1/role", "operator"},
                                                             {"/parties/1/key", ToHex(crypto::RawPublicKey{1})},
                                                             {"/parties/1/certificate", "ee"},
                                                             {"/parties/1/expires", "2036-01-01T00:00:00Z"},
                                                             {"/revoked/0/certificate", "cc"},
                                                             {"/revoked/0/name", "gamma"},
                                                             {"/revoked/0/reason", "none"},
                                                             {"/revoked/0/when", "2020-01-01"}};
  kit_.roster.revoked = {{"bb", "beta", "key lost", kNow}};
  const std::string text = Roster::Sign(kit_.roster, kit_.authority.key)->ToText();
  ASSERT_TRUE(Verify(text).ok());
  for (const auto& [where, value] : changes) {
    Json changed = ParseJson(text, "roster").value();
    changed[Json::json_pointer(where)] = value;
    const StatusOr<Roster> read = Verify(changed.dump());
    ASSERT_FALSE(read.ok()) << where;
    EXPECT_EQ(read.code(), StatusCode::kUnauthenticated) << where << ": " << read.status();
    EXPECT_THAT(read.status().message(), HasSubstr("not signed by the authority")) << where;
  }
  Json without = ParseJson(text, "roster").value();
  without["parties"].erase(without["parties"].begin());
  EXPECT_EQ(Verify(without.dump()).code(), StatusCode::kUnauthenticated);
  without = ParseJson(text, "roster").value();
  without["revoked"] = Json::array();
  EXPECT_EQ(Verify(without.dump()).code(), StatusCode::kUnauthenticated);
}

TEST_F(RosterTest, AnotherAuthoritysRosterIsRefusedAndSoIsAPartysOwn) {
  const Authority other = MakeAuthority("other ca");
  EXPECT_EQ(Verify(Roster::Sign(kit_.roster, other.key)->ToText()).code(), StatusCode::kUnauthenticated);
  // A site's TLS key, whose certificate is passed off as the authority's.
  const crypto::PrivateKey site_key = crypto::PrivateKey::Generate().value();
  const crypto::Certificate site =
      crypto::SignCertificate(SpecFor(kit_.self, crypto::CertificateUse::kClient), crypto::PublicKey::Of(site_key),
                              kit_.authority.certificate, kit_.authority.key)
          .value();
  const StatusOr<Roster> read =
      Roster::Verify(Roster::Sign(kit_.roster, site_key)->ToText(), site, kNow, "roster.json");
  EXPECT_EQ(read.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(read.status().message(), HasSubstr("no authority's"));
}

TEST_F(RosterTest, ARosterEnds) {
  EXPECT_TRUE(Verify(roster_.ToText(), kNow + 365 * kDay).ok());
  const StatusOr<Roster> late = Verify(roster_.ToText(), kNow + 366 * kDay);
  EXPECT_EQ(late.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(late.status().message(), HasSubstr("expired on 2027-05-28"));
}

TEST_F(RosterTest, AKeyIsGivenForSitesOfTheRosterAloneAndNotOnceRevokedOrExpired) {
  const auto why = [](const Roster& roster, const char* site, WallTime now) {
    const StatusOr<crypto::RawPublicKey> key = roster.KeyOf(SiteName(site), now);
    EXPECT_EQ(key.code(), StatusCode::kPermissionDenied) << site;
    return key.status().message();
  };
  EXPECT_THAT(why(roster_, "gamma", kNow), HasSubstr("no site 'gamma'"));
  EXPECT_THAT(why(roster_, "admin", kNow), HasSubstr("no site 'admin'"));  // an operator
  EXPECT_THAT(why(roster_, "beta", kNow + 366 * kDay), HasSubstr("expired"));
  kit_.roster.revoked = {{"ab12", "beta", "laptop stolen", kNow}};
  const Roster later = Roster::Sign(kit_.roster, kit_.authority.key).value();
  EXPECT_THAT(why(later, "beta", kNow), HasSubstr("revoked on 2026-05-28T20:26:40Z: laptop stolen"));
  EXPECT_TRUE(later.KeyOf(SiteName("alpha"), kNow).ok());
}

TEST_F(RosterTest, NobodyIsThereTwice) {
  kit_.roster.parties.push_back(kit_.roster.parties.front());
  EXPECT_EQ(Roster::Sign(kit_.roster, kit_.authority.key).code(), StatusCode::kInvalidArgument);
}

TEST_F(RosterTest, EveryTruncationIsAnErrorAndNeverACrash) {
  const std::string text = roster_.ToText();
  for (std::size_t size = 0; size + 2 < text.size(); size += 3)
    EXPECT_EQ(Verify(text.substr(0, size)).code(), StatusCode::kInvalidArgument) << size;
  for (const char* other :
       {"[]", "7", "{\"version\": 2}", "{\"version\": \"x\"}", "{\"version\": 1e300}", "{\"version\": 1.5}"})
    EXPECT_EQ(Verify(other).code(), StatusCode::kInvalidArgument) << other;
}

TEST(UtcTest, ATimeReadsBackAndWhatIsNoTimeIsRefused) {
  EXPECT_EQ(FormatSecond(kNow), "2026-05-28T20:26:40Z");
  EXPECT_EQ(ParseSecond("2026-05-28T20:26:40Z").value(), kNow);
  EXPECT_EQ(FormatSecond(ParseSecond("2027-06-30").value()), "2027-07-01T00:00:00Z");  // the end of that day
  for (const char* text : {"170-01-01T00:00:00Z", "2262-01-01", "", "2026-05-28T20:26:40", "2026-02-31",
                           "2026-05-28T20:26:40Z ", "tomorrow", "2026-13-01"})
    EXPECT_EQ(ParseSecond(text).code(), StatusCode::kInvalidArgument) << text;
}

}  // namespace
}  // namespace consilium::pki
