#include "privacy/secagg/messages.h"

#include <gtest/gtest.h>

#include "comm/base/rng.h"
#include "tests/unit/privacy/secagg/session_fixture.h"

namespace consilium::secagg {
namespace {

template <typename Message, typename Decode>
void ExpectExact(const Message& message, const Decode& decode) {
  const Bytes bytes = Encode(message);
  const auto back = decode(ByteSpan(bytes));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, message);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode(ByteSpan(bytes).first(size)).ok()) << size;
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(decode(ByteSpan(longer)).ok());
}

TEST(Messages, DecodeAfterEncodeIsTheMessageAndEveryTruncationIsAnError) {
  ExpectExact(Advert{.place = 3, .channel = {1}, .mask = {2}, .commitment = Sha256Of("c"), .signature = {9}},
              &DecodeAdvert);
  ExpectExact(SealedShares{.from = 1, .to = 2, .nonce = {3}, .sealed = {1, 2, 3}}, &DecodeSealedShares);
  ExpectExact(MaskedHead{.place = 1, .vector = Sha256Of("v"), .sharers = Sha256Of("s"), .signature = {4}},
              &DecodeMaskedHead);
  ExpectExact(Confirmation{.place = 5, .audit = {7, Sha256Of("a")}, .signature = {8}}, &DecodeConfirmation);
  ExpectExact(ShareRelease{.from = 2,
                           .shares = {{.of = 0, .share = {.x = 3, .y = {1, 2, 3, 4, 5}}},
                                      {.of = 4, .kind = SecretKind::kPairKey, .share = {.x = 3}}}},
              &DecodeShareRelease);
}

TEST(Messages, NoBytesCrashADecoder) {
  Rng rng(1);
  for (int trial = 0; trial < 20000; ++trial) {
    Bytes bytes(rng.Below(200));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.NextU32());
    (void)DecodeAdvert(bytes), (void)DecodeSealedShares(bytes), (void)DecodeMaskedHead(bytes);
    (void)DecodeConfirmation(bytes), (void)DecodeShareRelease(bytes), (void)DecodePair(bytes);
  }
}

TEST(Messages, ALyingCountAllocatesNothing) {
  const Bytes bytes = {1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};  // 2^32 - 1 released shares
  EXPECT_EQ(DecodeShareRelease(bytes).code(), StatusCode::kDataLoss);
}

TEST(Messages, APairOfSharesHasAlwaysTheSameLength) {
  EXPECT_EQ(EncodePair({}).Reveal().size(), kSharePairBytes);
  const SharePair pair = {.from = 7, .to = 9, .mask_key = {.x = 10, .y = {kFieldPrime - 1}}, .self_mask = {.x = 10}};
  const SharePair back = DecodePair(EncodePair(pair).Reveal()).value();
  EXPECT_EQ(back.from, 7u);
  EXPECT_EQ(back.mask_key, pair.mask_key);
}

TEST(Server, RefusesMessagesOutOfPhaseAndOfStrangers) {
  Cohort cohort(4, 3, 1);
  ServerSession server = ServerSession::Create(cohort.terms).value();
  const Advert advert = AdvertisedSite::Begin(cohort.View(0), cohort.entropy)->advert();
  EXPECT_FALSE(server.AddShares(0, {}).ok());
  EXPECT_FALSE(server.AddVector({}).ok());
  EXPECT_FALSE(server.AddConfirmation({}).ok());
  EXPECT_FALSE(server.AddRelease({}).ok());
  EXPECT_TRUE(server.AddAdvert(advert).ok());
  EXPECT_FALSE(server.AddAdvert(advert).ok()) << "twice";
  Advert stranger = advert;
  stranger.place = 4;
  EXPECT_FALSE(server.AddAdvert(stranger).ok());
  stranger.place = 1;
  EXPECT_EQ(server.AddAdvert(stranger).code(), StatusCode::kUnauthenticated);
  EXPECT_EQ(server.Awaited(), (Places{1, 2, 3}));
  EXPECT_EQ(server.CloseAdverts().code(), StatusCode::kFailedPrecondition) << "one of four";
}

}  // namespace
}  // namespace consilium::secagg
