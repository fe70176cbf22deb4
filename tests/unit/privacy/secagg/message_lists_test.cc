#include "privacy/secagg/message_lists.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/privacy/secagg/session_fixture.h"

namespace consilium::secagg {
namespace {

// Every body that is relayed, with its decoder as yes or no.
struct Body {
  const char* what;
  Bytes bytes;
  std::function<bool(ByteSpan)> decodes;
};

std::vector<Body> Bodies() {
  Cohort cohort(3, 4, 1);
  std::vector<Advert> adverts;
  for (std::size_t i = 0; i < 3; ++i)
    adverts.push_back(AdvertisedSite::Begin(cohort.View(i), cohort.entropy)->advert());
  const std::vector<SealedShares> shares = {{.from = 0, .to = 1, .nonce = {}, .sealed = Bytes(100, 7)},
                                            {.from = 2, .to = 1, .nonce = {}, .sealed = Bytes(100, 8)}};
  const std::vector<Confirmation> confirmations = {{.place = 1}, {.place = 2}};
  const std::vector<SiteName> names = {SiteName("a"), SiteName("hospital-b")};
  const SurvivorList list{{0, 2, 5}, {7, Sha256Of("log")}};
  EXPECT_EQ(DecodeAdverts(EncodeAdverts(adverts)).value(), adverts);
  EXPECT_EQ(DecodeShares(EncodeShares(shares)).value(), shares);
  EXPECT_EQ(DecodeConfirmations(EncodeConfirmations(confirmations)).value(), confirmations);
  EXPECT_EQ(DecodeNames(EncodeNames(names)).value(), names);
  EXPECT_EQ(DecodeSurvivorList(Encode(list)).value(), list);
  const NoisyOpening opening{names, 0.25};
  EXPECT_EQ(DecodeNoisyOpening(Encode(opening)).value(), opening);
  return {{"noisy opening", Encode(opening), [](ByteSpan b) { return DecodeNoisyOpening(b).ok(); }},
          {"adverts", EncodeAdverts(adverts), [](ByteSpan b) { return DecodeAdverts(b).ok(); }},
          {"shares", EncodeShares(shares), [](ByteSpan b) { return DecodeShares(b).ok(); }},
          {"confirmations", EncodeConfirmations(confirmations), [](ByteSpan b) { return DecodeConfirmations(b).ok(); }},
          {"names", EncodeNames(names), [](ByteSpan b) { return DecodeNames(b).ok(); }},
          {"survivors", Encode(list), [](ByteSpan b) { return DecodeSurvivorList(b).ok(); }}};
}

TEST(MessageLists, ComeBackAsTheyWereAndEveryTruncationIsAnError) {
  for (const Body& body : Bodies()) {
    EXPECT_TRUE(body.decodes(body.bytes)) << body.what;
    for (std::size_t size = 0; size < body.bytes.size(); ++size)
      EXPECT_FALSE(body.decodes(ByteSpan(body.bytes).first(size))) << body.what << " cut to " << size;
    Bytes longer = body.bytes;
    longer.push_back(0);
    EXPECT_FALSE(body.decodes(longer)) << body.what;
  }
}

TEST(MessageLists, AClipThatIsNoNumberIsAnError) {
  for (const double clip : {std::nan(""), HUGE_VAL, -HUGE_VAL})
    EXPECT_EQ(DecodeNoisyOpening(Encode(NoisyOpening{{SiteName("a")}, clip})).code(), StatusCode::kDataLoss);
}

TEST(MessageLists, ACountThatLiesAllocatesNothing) {
  for (const Body& body : Bodies()) {
    Bytes bytes = body.bytes;
    std::fill_n(bytes.begin(), 4, 0xff);
    EXPECT_FALSE(body.decodes(bytes)) << body.what;
  }
}

TEST(MessageLists, ATranscriptIsCheckedAgainWhenItIsRead) {
  Cohort cohort(3, 4, 2);
  Bytes transcript;
  {
    ServerSession server = ServerSession::Create(cohort.terms).value();
    std::vector<AdvertisedSite> advertised;
    for (std::size_t i = 0; i < 3; ++i) {
      advertised.push_back(AdvertisedSite::Begin(cohort.View(i), cohort.entropy).value());
      ASSERT_TRUE(server.AddAdvert(advertised[i].advert()).ok());
    }
    ASSERT_TRUE(server.CloseAdverts().ok());
    std::vector<SharingSite> sharing;
    for (Place i = 0; i < 3; ++i) {
      sharing.push_back(std::move(advertised[i]).Share(server.AdvertsFor(i)).value());
      ASSERT_TRUE(server.AddShares(i, sharing[i].sealed()).ok());
    }
    ASSERT_TRUE(server.CloseShares().ok());
    std::vector<MaskedSite> masked;
    for (Place i = 0; i < 3; ++i) {
      masked.push_back(std::move(sharing[i]).Open(server.SharesFor(i)).value().Seal(Sha256Of("v")));
      ASSERT_TRUE(server.AddVector(masked[i].head()).ok());
    }
    ASSERT_TRUE(server.CloseVectors({1, Sha256Of("log")}).ok());
    for (MaskedSite& site : masked)
      ASSERT_TRUE(
          server.AddConfirmation(std::move(site).Confirm(server.survivors(), server.audit()).value().confirmation())
              .ok());
    ASSERT_TRUE(server.CloseConfirmations().ok());
    transcript = server.Transcript();
  }
  ASSERT_TRUE(ServerSession::FromTranscript(transcript).ok());
  for (std::size_t size = 0; size < transcript.size(); size += 7)
    EXPECT_FALSE(ServerSession::FromTranscript(ByteSpan(transcript).first(size)).ok()) << size;
  std::size_t accepted = 0;
  for (std::size_t at = 0; at < transcript.size(); at += 3) {
    Bytes changed = transcript;
    changed[at] ^= 0x10;
    accepted += ServerSession::FromTranscript(changed).ok();
  }
  // The head of an audit log that stands beside lists of places is not covered by a signature here.
  EXPECT_LE(accepted, 24u) << "of " << transcript.size() / 3;
}

}  // namespace
}  // namespace consilium::secagg
