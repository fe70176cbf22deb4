// A beacon is the hash of everybody's nonces, and nobody who relays them can bend it: every lie is refused by the
// honest site that it is told to, before it says its nonce or before it takes the beacon for one.
#include "privacy/secagg/beacon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "privacy/secagg/beacon_part.h"
#include "privacy/secagg/terms.h"

namespace consilium::secagg {
namespace {

using ::testing::HasSubstr;

// Sites a, b, c, ... with one honest relay between them.
class Sites {
 public:
  explicit Sites(std::size_t count, std::uint64_t seed = 1) : entropy(seed) {
    terms.job = JobId("job");
    terms.attempt = 1;
    terms.configuration = Sha256Of("configuration");
    for (std::size_t i = 0; i < count; ++i) {
      keys.push_back(crypto::SigningKey::Generate(entropy));
      terms.sites.push_back({SiteName(std::string(1, static_cast<char>('a' + i))), keys.back().public_key()});
    }
    parts.resize(count);
  }
  const SiteName& Name(std::size_t i) const { return terms.sites[i].name; }

  StatusOr<BeaconCommitment> Commit(std::size_t i, const BeaconTerms& told) {
    ASSIGN_OR_RETURN(parts[i], BeginBeacon(told, Name(i), parts[i], entropy));
    return CommitTo(parts[i]->context, Name(i), parts[i]->nonce, keys[i]);
  }
  std::vector<BeaconCommitment> CommitAll() {
    std::vector<BeaconCommitment> commitments;
    for (std::size_t i = 0; i < keys.size(); ++i) commitments.push_back(Commit(i, terms).value());
    return commitments;
  }
  StatusOr<BeaconNonce> Reveal(std::size_t i, const std::vector<BeaconCommitment>& commitments) {
    ASSIGN_OR_RETURN(parts[i], RevealNonce(terms, Name(i), *parts[i], commitments));
    return parts[i]->nonce;
  }
  std::vector<BeaconNonce> RevealAll(const std::vector<BeaconCommitment>& commitments) {
    std::vector<BeaconNonce> nonces;
    for (std::size_t i = 0; i < keys.size(); ++i) nonces.push_back(Reveal(i, commitments).value());
    return nonces;
  }

  SeededEntropy entropy;
  BeaconTerms terms;
  std::vector<crypto::SigningKey> keys;
  std::vector<std::optional<BeaconPart>> parts;
};

void ExpectRefused(const Status& status, StatusCode code, const std::string& why) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(status.message(), HasSubstr(why));
}

TEST(Beacon, IsTheSameForAllItsSitesAndAnotherWithAnyOtherNonceTermOrSite) {
  std::set<std::string> values;
  const auto run = [&](Sites sites) {
    const auto commitments = sites.CommitAll();
    const auto nonces = sites.RevealAll(commitments);
    const Beacon beacon = FinishBeacon(sites.terms, *sites.parts[0], commitments, nonces).value();
    for (const auto& part : sites.parts)
      EXPECT_EQ(FinishBeacon(sites.terms, *part, commitments, nonces).value(), beacon);
    EXPECT_EQ(beacon.sites.size(), sites.keys.size());
    values.insert(beacon.value.ToHex());
  };
  const std::vector<std::function<void(Sites&)>> changes = {
      [](Sites&) {},
      [](Sites& s) { s.terms.job = JobId("other"); },
      [](Sites& s) { s.terms.round = Round{1}; },
      [](Sites& s) { s.terms.attempt = 2; },
      [](Sites& s) { s.terms.configuration = Sha256Of("other"); },
      [](Sites& s) { s.entropy = SeededEntropy(99); },  // other nonces
      [](Sites& s) { s.terms.sites.pop_back(), s.keys.pop_back(), s.parts.pop_back(); },
  };
  for (const auto& change : changes) {
    Sites sites(5);
    change(sites);
    run(std::move(sites));
  }
  EXPECT_EQ(values.size(), changes.size());
}

TEST(Beacon, MakesANewNonceForEachAttemptAndKeepsItForTheSame) {
  Sites sites(3);
  const BeaconCommitment first = sites.Commit(0, sites.terms).value();
  EXPECT_EQ(sites.Commit(0, sites.terms).value(), first) << "asked again after a reconnect";
  sites.terms.attempt = 2;
  EXPECT_NE(sites.Commit(0, sites.terms)->commitment, first.commitment);
  sites.terms.attempt = 1;
  ExpectRefused(sites.Commit(0, sites.terms).status(), StatusCode::kFailedPrecondition, "is older than the newest");
}

TEST(LyingRelay, CannotNameFewSitesStrangersOrSitesTwice) {
  Sites sites(4);
  const auto told = [&](std::vector<std::size_t> who) {
    BeaconTerms terms = sites.terms;
    terms.sites.clear();
    for (const std::size_t i : who) terms.sites.push_back(sites.terms.sites[i]);
    return sites.Commit(0, terms).status();
  };
  ExpectRefused(told({0, 1}), StatusCode::kInvalidArgument, "a beacon of 2 sites; at least 3");
  ExpectRefused(told({0, 2, 1}), StatusCode::kInvalidArgument, "not in name order");
  ExpectRefused(told({0, 1, 1}), StatusCode::kInvalidArgument, "is in it twice");
  ExpectRefused(told({1, 2, 3}), StatusCode::kFailedPrecondition, "without us ('a')");
  BeaconTerms twin = sites.terms;
  twin.sites[1].key = twin.sites[2].key;
  ExpectRefused(sites.Commit(0, twin).status(), StatusCode::kInvalidArgument, "two sites of the cohort have");
}

TEST(LyingRelay, CannotChangeTheSitesUnderTheSameAttempt) {
  Sites sites(4);
  ASSERT_TRUE(sites.Commit(0, sites.terms).ok());
  BeaconTerms fewer = sites.terms;
  fewer.sites.pop_back();
  ExpectRefused(sites.Commit(0, fewer).status(), StatusCode::kFailedPrecondition, "has other sites than before");
}

TEST(LyingRelay, GetsNoNonceForAChangedMissingSwappedOrForeignCommitment) {
  for (const auto& [lie, why] :
       std::vector<std::pair<std::function<void(std::vector<BeaconCommitment>&)>, std::string>>{
           {[](auto& list) { list[0].commitment.bytes[3] ^= 1; }, "our own commitment was changed"},
           {[](auto& list) { list[0] = list[1]; }, "our own commitment was changed"},
           {[](auto& list) { list[1].commitment.bytes[3] ^= 1; }, "of 'b' is not signed by it"},
           {[](auto& list) { list[1].signature[9] ^= 1; }, "of 'b' is not signed by it"},
           {[](auto& list) { std::swap(list[1], list[2]); }, "of 'b' is not signed by it"},
           {[](auto& list) { list.pop_back(); }, "3 commitments of 4 sites"},
           {[](auto& list) { list.push_back(list[3]); }, "5 commitments of 4 sites"},
           {[](auto& list) { list.clear(); }, "0 commitments of 4 sites"}}) {
    Sites sites(4);
    std::vector<BeaconCommitment> commitments = sites.CommitAll();
    lie(commitments);
    ExpectRefused(sites.Reveal(0, commitments).status(), StatusCode::kUnauthenticated, why);
    EXPECT_EQ(sites.parts[0]->revealed, 0u);
  }
}

TEST(LyingRelay, CannotSignForAnotherSiteWithAKeyOfItsOwn) {
  Sites sites(4);
  std::vector<BeaconCommitment> commitments = sites.CommitAll();
  const crypto::SigningKey own = crypto::SigningKey::Generate(sites.entropy);
  commitments[2] = CommitTo(ContextOf(sites.terms), sites.Name(2), BeaconNonce{1, 2, 3}, own);
  ExpectRefused(sites.Reveal(0, commitments).status(), StatusCode::kUnauthenticated, "of 'c' is not signed by it");
}

TEST(LyingRelay, CannotReplayCommitmentsOfAnotherJobRoundAttemptOrConfiguration) {
  for (const auto& change : std::vector<std::function<void(BeaconTerms&)>>{
           [](BeaconTerms& t) { t.job = JobId("earlier"); }, [](BeaconTerms& t) { t.round = Round{7}; },
           [](BeaconTerms& t) { t.attempt = 9; }, [](BeaconTerms& t) { t.configuration = Sha256Of("other"); }}) {
    Sites sites(4);
    std::vector<BeaconCommitment> commitments = sites.CommitAll();
    BeaconTerms other = sites.terms;
    change(other);
    // Of which the relay knows the nonce.
    commitments[1] = CommitTo(ContextOf(other), sites.Name(1), BeaconNonce{1}, sites.keys[1]);
    ExpectRefused(sites.Reveal(0, commitments).status(), StatusCode::kUnauthenticated, "of 'b' is not signed by it");
  }
}

TEST(LyingRelay, CannotHaveANonceSaidAgainstTwoListsOrMakeABeaconOfTheSecond) {
  Sites sites(4);
  const std::vector<BeaconCommitment> first = sites.CommitAll();
  ASSERT_TRUE(sites.Reveal(0, first).ok());
  ASSERT_TRUE(sites.Reveal(0, first).ok()) << "asked again after a reconnect";
  EXPECT_EQ(sites.parts[0]->revealed, 1u);
  // d colludes: having seen a's nonce, it commits to another one.
  std::vector<BeaconCommitment> second = first;
  const BeaconNonce chosen = {42};
  second[3] = CommitTo(ContextOf(sites.terms), sites.Name(3), chosen, sites.keys[3]);
  ExpectRefused(sites.Reveal(0, second).status(), StatusCode::kUnauthenticated, "said against other commitments");
  std::vector<BeaconNonce> nonces = sites.RevealAll(first);
  nonces[3] = chosen;
  ExpectRefused(FinishBeacon(sites.terms, *sites.parts[0], second, nonces).status(), StatusCode::kUnauthenticated,
                "made of other commitments");
}

TEST(LyingRelay, CannotChangeOmitOrAddANonce) {
  Sites sites(4);
  const std::vector<BeaconCommitment> commitments = sites.CommitAll();
  const std::vector<BeaconNonce> nonces = sites.RevealAll(commitments);
  const auto finish = [&](std::vector<BeaconNonce> told) {
    return FinishBeacon(sites.terms, *sites.parts[0], commitments, told).status();
  };
  EXPECT_TRUE(finish(nonces).ok());
  std::vector<BeaconNonce> lie = nonces;
  lie[2][31] ^= 1;
  ExpectRefused(finish(lie), StatusCode::kUnauthenticated, "the nonce of 'c' is not the one that it committed to");
  lie = nonces;
  std::swap(lie[0], lie[1]);
  ExpectRefused(finish(lie), StatusCode::kUnauthenticated, "the nonce of 'a'");
  lie = nonces;
  lie.pop_back();
  ExpectRefused(finish(lie), StatusCode::kInvalidArgument, "3 nonces of 4 sites");
}

TEST(LyingRelay, CannotPassOffABeaconInWhichASiteHadNoPart) {
  Sites sites(4);
  const std::vector<BeaconCommitment> commitments = sites.CommitAll();
  const std::vector<BeaconNonce> nonces = sites.RevealAll(commitments);
  Sites other(4, 2);
  ExpectRefused(FinishBeacon(sites.terms, BeaconPart{}, commitments, nonces).status(), StatusCode::kFailedPrecondition,
                "has no nonce of this site in it");
  ASSERT_TRUE(other.Commit(0, other.terms).ok());
  ExpectRefused(FinishBeacon(other.terms, *other.parts[0], commitments, nonces).status(),
                StatusCode::kFailedPrecondition, "has no nonce of this site in it");  // it has not revealed
  ExpectRefused(RevealNonce(sites.terms, sites.Name(0), BeaconPart{}, commitments).status(),
                StatusCode::kFailedPrecondition, "has not committed to");
}

TEST(LyingRelay, GetsAtMostEightNoncesOfASiteForARoundHoweverOftenItAborts) {
  Sites sites(3);
  for (std::uint32_t attempt = 1; attempt <= kBeaconTriesMax; ++attempt) {
    sites.terms.attempt = 2 * attempt;  // attempts that came to no nonce do not count
    ASSERT_TRUE(sites.Reveal(0, sites.CommitAll()).ok()) << attempt;
    sites.terms.attempt = 2 * attempt + 1;
    if (attempt < kBeaconTriesMax) {
      ASSERT_TRUE(sites.Commit(0, sites.terms).ok()) << attempt;
    }
  }
  ExpectRefused(sites.Commit(0, sites.terms).status(), StatusCode::kPermissionDenied, "this site has said 8 nonces");
  sites.terms.round = Round{1};
  sites.terms.attempt = 1;
  EXPECT_TRUE(sites.Commit(0, sites.terms).ok()) << "another round";
}

// --- bytes

BeaconNotice SomeNotice() {
  Sites sites(4);
  const auto commitments = sites.CommitAll();
  return {{sites.Name(0), sites.Name(1), sites.Name(2), sites.Name(3)}, commitments, sites.RevealAll(commitments)};
}

TEST(BeaconNotice, SurvivesItsBytesAtEachStageAndAnyTruncationIsAnError) {
  for (int stage = 0; stage < 3; ++stage) {
    BeaconNotice notice = SomeNotice();
    if (stage < 2) notice.nonces.clear();
    if (stage < 1) notice.commitments.clear();
    const Bytes bytes = Encode(notice);
    EXPECT_EQ(DecodeBeaconNotice(bytes).value(), notice);
    for (std::size_t size = 0; size < bytes.size(); ++size)
      EXPECT_EQ(DecodeBeaconNotice(ByteSpan(bytes).first(size)).status().code(), StatusCode::kDataLoss) << size;
  }
}

TEST(BeaconNotice, HasOneCommitmentAndNonceOfEachSiteOrNone) {
  for (const auto& change : std::vector<std::function<void(BeaconNotice&)>>{
           [](BeaconNotice& n) { n.commitments.pop_back(), n.nonces.pop_back(); },
           [](BeaconNotice& n) { n.nonces.pop_back(); }, [](BeaconNotice& n) { n.commitments.clear(); },
           [](BeaconNotice& n) { n.sites.pop_back(); }}) {
    BeaconNotice notice = SomeNotice();
    change(notice);
    EXPECT_EQ(DecodeBeaconNotice(Encode(notice)).status().code(), StatusCode::kDataLoss);
  }
}

TEST(BeaconNotice, OfAHugeCountIsRefusedBeforeRoomIsMade) {
  Bytes bytes = Encode(BeaconNotice{});
  for (const std::size_t at : {std::size_t{0}, std::size_t{4}, std::size_t{8}}) {
    Bytes huge = bytes;
    std::fill_n(huge.begin() + static_cast<std::ptrdiff_t>(at), 4, 0xff);
    EXPECT_EQ(DecodeBeaconNotice(huge).status().code(), StatusCode::kDataLoss);
  }
}

// --- the graph that it draws

TEST(Beacon, DrawsAnotherGraphForEachValueAndTheSameForTheSame) {
  SeededEntropy entropy(3);
  SessionTerms terms{.job = JobId("job"), .dimension = 8, .clip = 1, .corrupt = 23};
  for (int i = 0; i < 70; ++i)
    terms.cohort.push_back({SiteName(Concat("site-", 100 + i)), crypto::SigningKey::Generate(entropy).public_key()});
  terms.beacon = Sha256Of("one");
  const SessionShape one = ShapeOf(terms).value();
  EXPECT_FALSE(one.complete);
  EXPECT_EQ(ShapeOf(terms)->neighbours, one.neighbours);
  terms.beacon = Sha256Of("two");
  const SessionShape two = ShapeOf(terms).value();
  EXPECT_NE(two.neighbours, one.neighbours);
  EXPECT_EQ(two.degree, one.degree);
  // Another list of sites is another graph as well: that is why the list is fixed before the beacon is.
  terms.cohort.pop_back();
  SessionShape fewer = ShapeOf(terms).value();
  EXPECT_NE(fewer.neighbours, std::vector(two.neighbours.begin(), two.neighbours.end() - 1));
}

TEST(Graph, ExistsForEveryNumberOfSitesUpToAThousandWithAThirdOfThemCorrupt) {
  for (const std::size_t sites : {65u, 66u, 70u, 80u, 100u, 128u, 150u, 250u, 500u, 750u, 1000u}) {
    SessionTerms terms{.job = JobId("job"), .dimension = 8, .clip = 4};
    for (std::size_t i = 0; i < sites; ++i) {
      crypto::RawPublicKey key{};
      key[0] = static_cast<std::uint8_t>(i), key[1] = static_cast<std::uint8_t>(i >> 8);
      char name[16];
      std::snprintf(name, sizeof name, "site-%05zu", i);
      terms.cohort.push_back({SiteName(name), key});
    }
    terms.corrupt = static_cast<std::uint32_t>(sites / 3);
    const StatusOr<SessionShape> shape = ShapeOf(terms);
    ASSERT_TRUE(shape.ok()) << sites << " sites: " << shape.status();
    EXPECT_GT(2 * shape->threshold, shape->degree) << "two halves of a neighbourhood cannot both release";
    EXPECT_LE(shape->threshold, shape->degree);
    RecordProperty(Concat("degree_", sites), static_cast<int>(shape->degree));
    std::printf("%5zu sites: %3zu neighbours, threshold %3zu\n", sites, shape->degree, shape->threshold);
  }
}

}  // namespace
}  // namespace consilium::secagg
