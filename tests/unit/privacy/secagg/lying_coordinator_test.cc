// A coordinator that lies: the honest site must refuse, by a named reason, and release nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/privacy/secagg/session_fixture.h"

namespace consilium::secagg {
namespace {

using ::testing::HasSubstr;

void ExpectRefusal(const Outcome& outcome, Place place, const std::string& reason) {
  ASSERT_TRUE(outcome.refusals.contains(place)) << "the site went along";
  EXPECT_THAT(outcome.refusals.at(place).message(), HasSubstr(reason));
  EXPECT_FALSE(outcome.released.contains(place));
}

TEST(LyingCoordinator, CannotPutItsOwnKeysInThePlaceOfASites) {
  Cohort cohort(5, 4, 1);
  Mischief mischief;
  mischief.adverts = [&](Place to, std::vector<Advert>& adverts) {
    if (to == 0) adverts[1].channel = crypto::AgreementKey::Generate(cohort.entropy).public_key();
  };
  ExpectRefusal(RunSession(cohort, {}, mischief), 0, "'site-0001' is not signed by it for this session");
}

TEST(LyingCoordinator, CannotInventSites) {
  // Sybils are signed by keys that are not in the pinned roster, whose keys the terms hold.
  Cohort cohort(5, 4, 2);
  SeededEntropy sybil(77);
  const crypto::SigningKey forged = crypto::SigningKey::Generate(sybil);
  Mischief mischief;
  mischief.adverts = [&](Place to, std::vector<Advert>& adverts) {
    if (to != 0) return;
    adverts[2].mask = crypto::AgreementKey::Generate(sybil).public_key();
    adverts[2].signature = forged.Sign(SignedBytes(cohort.View(0)->context, adverts[2]));
  };
  ExpectRefusal(RunSession(cohort, {}, mischief), 0, "'site-0002' is not signed by it");
}

TEST(LyingCoordinator, CannotShowTwoSitesDifferentModels) {
  Cohort cohort(5, 4, 3);
  Cohort other(5, 4, 3);  // the same sites and keys
  other.terms.model = Sha256Of("another model");
  ServerSession server = ServerSession::Create(cohort.terms).value();
  AdvertisedSite odd = AdvertisedSite::Begin(other.View(0), other.entropy).value();
  EXPECT_EQ(server.AddAdvert(odd.advert()).code(), StatusCode::kUnauthenticated);
  // And where the coordinator relays it all the same, the other sites notice.
  AdvertisedSite honest = AdvertisedSite::Begin(cohort.View(1), cohort.entropy).value();
  std::vector<Advert> adverts = {odd.advert(), honest.advert()};
  for (std::size_t i = 2; i < 5; ++i)
    adverts.push_back(AdvertisedSite::Begin(cohort.View(i), cohort.entropy)->advert());
  const auto refused = std::move(honest).Share(adverts);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(), HasSubstr("another model, job or cohort"));
}

TEST(LyingCoordinator, CannotChangeDropOrRepeatAdverts) {
  const auto with = [](std::function<void(std::vector<Advert>&)> change) {
    Cohort cohort(5, 4, 4);
    Mischief mischief;
    mischief.adverts = [&](Place to, std::vector<Advert>& adverts) {
      if (to == 0) change(adverts);
    };
    return RunSession(cohort, {}, mischief);
  };
  ExpectRefusal(with([](auto& adverts) { adverts.erase(adverts.begin()); }), 0, "our own advert did not come back");
  ExpectRefusal(with([](auto& adverts) { adverts[0].commitment = Sha256Of("x"); }), 0,
                "our own advert came back changed");
  ExpectRefusal(with([](auto& adverts) { adverts.push_back(adverts[1]); }), 0, "two adverts of 'site-0001'");
  ExpectRefusal(with([](auto& adverts) { adverts.resize(2); }), 0, "only 2 sites advertised around us; 4 are needed");
  ExpectRefusal(with([](auto& adverts) { adverts[1].place = 9; }), 0, "an advert of place 9 of 5");
}

TEST(LyingCoordinator, CannotMakeASiteMaskWithSharesThatWereChangedOrMeantForAnother) {
  const auto with = [](std::function<void(std::vector<SealedShares>&)> change) {
    Cohort cohort(5, 4, 5);
    Mischief mischief;
    mischief.shares = [&](Place to, std::vector<SealedShares>& shares) {
      if (to == 0) change(shares);
    };
    return RunSession(cohort, {}, mischief);
  };
  ExpectRefusal(with([](auto& shares) { shares[0].sealed[3] ^= 1; }), 0, "the shares of 'site-0001'");
  ExpectRefusal(with([](auto& shares) { std::swap(shares[0].sealed, shares[1].sealed); }), 0, "does not open");
  ExpectRefusal(with([](auto& shares) { shares[0].to = 3; }), 0, "for place 3");
  ExpectRefusal(with([](auto& shares) { shares.push_back(shares[0]); }), 0, "came twice");
  ExpectRefusal(with([](auto& shares) { shares.resize(2); }), 0, "only 3 sites shared around us; 4 are needed");
}

TEST(LyingCoordinator, CannotNameImpossibleSurvivors) {
  const auto with = [](std::map<Place, Until> until, std::function<void(Places&)> change) {
    Cohort cohort(6, 4, 6);
    Mischief mischief;
    mischief.survivors = [&](Place to, Places& survivors) {
      if (to == 0) change(survivors);
    };
    return RunSession(cohort, until, mischief);
  };
  ExpectRefusal(with({}, [](Places& s) { s.erase(s.begin()); }), 0,
                "we sent our vector and are not among the survivors");
  ExpectRefusal(with({}, [](Places& s) { s.resize(4); }), 0, "only 4 survivors; at least 5 are needed");
  ExpectRefusal(with({}, [](Places& s) { std::swap(s[1], s[2]); }), 0, "in order");
  ExpectRefusal(with({}, [](Places& s) { s.push_back(6); }), 0, "distinct places of the cohort");
  ExpectRefusal(with({{5, Until::kAdvert}}, [](Places& s) { s.push_back(5); }), 0,
                "'site-0005' survives without having shared");
}

TEST(LyingCoordinator, CannotShowTwoListsOfSurvivorsAndGetBothShares) {
  // Half of the sites are told that site 5 survives, the other half that it dropped out.
  Cohort cohort(6, 4, 7);
  Mischief mischief;
  mischief.survivors = [](Place to, Places& survivors) {
    if (to < 3) survivors.pop_back();
  };
  const Outcome outcome = RunSession(cohort, {}, mischief);
  EXPECT_TRUE(outcome.released.empty());
  for (Place place = 0; place < 5; ++place)
    EXPECT_THAT(outcome.refusals.at(place).message(), HasSubstr("the coordinator showed it other ones, or forged it"))
        << place;
}

TEST(LyingCoordinator, CannotTellSitesOfTwoVersionsOfItsAuditLogOrOfNone) {
  const auto with = [](std::function<void(Place, AuditPoint&)> change) {
    Cohort cohort(5, 4, 12);
    return RunSession(cohort, {}, {.audit = std::move(change)});
  };
  const Outcome forked = with([](Place to, AuditPoint& audit) {
    if (to >= 3) audit.head = Sha256Of("the other version");
  });
  EXPECT_TRUE(forked.released.empty());
  for (Place place = 0; place < 5; ++place)
    EXPECT_THAT(forked.refusals.at(place).message(), HasSubstr("of another audit log than us: after 12 entries"));
  // The same head after another number of entries is another log as well.
  EXPECT_TRUE(with([](Place to, AuditPoint& audit) { audit.entries += to == 1; }).released.empty());
  ExpectRefusal(with([](Place to, AuditPoint& audit) {
                  if (to == 2) audit = {};
                }),
                2, "tells nothing of its audit log");
}

TEST(LyingCoordinator, CannotDoWithFewerConfirmationsOrForgedOnes) {
  const auto with = [](std::function<void(std::vector<Confirmation>&)> change) {
    Cohort cohort(5, 4, 8);
    Mischief mischief;
    mischief.confirmations = [&](Place to, std::vector<Confirmation>& confirmations) {
      if (to == 0) change(confirmations);
    };
    return RunSession(cohort, {}, mischief);
  };
  ExpectRefusal(with([](auto& c) { c.resize(3); }), 0, "only 3 survivors around us confirmed");
  ExpectRefusal(with([](auto& c) { c.resize(3), c.push_back(c[2]); }), 0, "came twice");
  ExpectRefusal(with([](auto& c) { c[1].signature[5] ^= 1; }), 0, "'site-0001' is not its signature");
  ExpectRefusal(with([](auto& c) { c[1].audit.head = Sha256Of("another log"); }), 0,
                "'site-0001' is not its signature");
  ExpectRefusal(with([](auto& c) { c[1].place = 7; }), 0, "place 7");
}

TEST(LyingCoordinator, CannotReplayAnotherAttempt) {
  Cohort cohort(5, 4, 9);
  const Advert former = AdvertisedSite::Begin(cohort.View(1), cohort.entropy)->advert();
  cohort.terms.attempt = Attempt{1};
  Mischief mischief;
  mischief.adverts = [&](Place to, std::vector<Advert>& adverts) {
    if (to == 0) adverts[1] = former;
  };
  ExpectRefusal(RunSession(cohort, {}, mischief), 0, "'site-0001' is not signed by it for this session");
}

TEST(Terms, ThatCannotHideASiteAreRefused) {
  Cohort cohort(5, 4, 10);
  const auto refused = [&](std::function<void(SessionTerms&)> change) {
    SessionTerms terms = cohort.terms;
    change(terms);
    return !SiteView::Create(terms, terms.cohort[0].name, cohort.keys[0]).ok();
  };
  EXPECT_FALSE(refused([](SessionTerms&) {}));
  EXPECT_TRUE(refused([](SessionTerms& t) { t.cohort.resize(2); }));
  EXPECT_TRUE(refused([](SessionTerms& t) { t.min_cohort = 2; }));
  EXPECT_TRUE(refused([](SessionTerms& t) { t.min_cohort = 6; }));
  EXPECT_TRUE(refused([](SessionTerms& t) { t.dimension = 0; }));
  EXPECT_TRUE(refused([](SessionTerms& t) { t.clip = 0; }));
  EXPECT_TRUE(refused([](SessionTerms& t) { t.corrupt = 5; }));
  EXPECT_TRUE(refused([](SessionTerms& t) { std::swap(t.cohort[1], t.cohort[2]); }));
  EXPECT_TRUE(refused([](SessionTerms& t) { t.cohort[1].key = t.cohort[2].key; }));
  EXPECT_TRUE(refused([](SessionTerms& t) { t.cohort[1].name = t.cohort[2].name; }));
  EXPECT_TRUE(
      refused([&](SessionTerms& t) { t.cohort[0].key = crypto::SigningKey::Generate(cohort.entropy).public_key(); }));
  EXPECT_FALSE(SiteView::Create(cohort.terms, SiteName("stranger"), cohort.keys[0]).ok());
}

TEST(Context, ChangesWithEverythingThatMustBeAgreedOn) {
  Cohort cohort(5, 4, 11);
  std::set<Digest> contexts = {cohort.View(0)->context};
  const auto add = [&](std::function<void(SessionTerms&)> change) {
    SessionTerms terms = cohort.terms;
    change(terms);
    return contexts.insert(ContextOf(terms, ShapeOf(terms).value())).second;
  };
  EXPECT_TRUE(add([](SessionTerms& t) { t.job = JobId("other"); }));
  EXPECT_TRUE(add([](SessionTerms& t) { t.round = Round{1}; }));
  EXPECT_TRUE(add([](SessionTerms& t) { t.attempt = Attempt{1}; }));
  EXPECT_TRUE(add([](SessionTerms& t) { t.model = Sha256Of("x"); }));
  EXPECT_TRUE(add([](SessionTerms& t) { t.configuration = Sha256Of("x"); }));
  EXPECT_TRUE(add([](SessionTerms& t) { t.beacon = Sha256Of("x"); }));
  EXPECT_TRUE(add([](SessionTerms& t) { t.privacy = Sha256Of("x"); }));
  EXPECT_TRUE(add([](SessionTerms& t) { t.dimension = 5; }));
  EXPECT_TRUE(add([](SessionTerms& t) { t.clip = 2; }));
  EXPECT_TRUE(add([](SessionTerms& t) { t.corrupt = 0; }));
  EXPECT_TRUE(add([](SessionTerms& t) { t.min_cohort = 4; }));
  EXPECT_TRUE(add([](SessionTerms& t) { t.cipher = crypto::StreamCipher::kAes256Ctr; }));
  EXPECT_TRUE(add([](SessionTerms& t) { t.cohort.pop_back(); }));
}

}  // namespace
}  // namespace consilium::secagg
