#include "privacy/crypto/raw_keys.h"

#include <gtest/gtest.h>

namespace consilium::crypto {
namespace {

SecretBytes Secret(std::string_view hex) { return SecretBytes(FromHex(hex).value()); }

template <std::size_t N>
std::array<std::uint8_t, N> Raw(std::string_view hex) {
  const Bytes bytes = FromHex(hex).value();
  std::array<std::uint8_t, N> out{};
  EXPECT_EQ(bytes.size(), N);
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

TEST(X25519, AgreesAsInRfc7748) {  // section 6.1
  const AgreementKey alice =
      AgreementKey::FromSeed(Secret("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")).value();
  const AgreementKey bob =
      AgreementKey::FromSeed(Secret("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")).value();
  EXPECT_EQ(ToHex(alice.public_key()), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  EXPECT_EQ(ToHex(bob.public_key()), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const SecretBytes shared = alice.Agree(bob.public_key()).value();
  EXPECT_EQ(ToHex(shared.Reveal()), "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
  EXPECT_TRUE(shared.EqualsConstantTime(bob.Agree(alice.public_key()).value()));
}

TEST(X25519, RefusesPointsOfSmallOrder) {
  SeededEntropy entropy(1);
  const AgreementKey key = AgreementKey::Generate(entropy);
  for (const char* point : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"})
    EXPECT_EQ(key.Agree(Raw<32>(point)).code(), StatusCode::kInvalidArgument) << point;
}

struct Rfc8032 {
  const char *seed, *key, *message, *signature;
};
constexpr Rfc8032 kVectors[] = {  // section 7.1, tests 1 to 3
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
     "55"
     "141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
     "00"
     "d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc"
     "02"
     "7beceea1ec40a"}};

TEST(Ed25519, SignsAndVerifiesAsInRfc8032) {
  for (const Rfc8032& vector : kVectors) {
    const SigningKey key = SigningKey::FromSeed(Secret(vector.seed)).value();
    const Bytes message = FromHex(vector.message).value();
    EXPECT_EQ(ToHex(key.public_key()), vector.key);
    EXPECT_EQ(ToHex(key.Sign(message)), vector.signature);
    EXPECT_TRUE(Verify(key.public_key(), message, Raw<64>(vector.signature)));
  }
}

TEST(Ed25519, RefusesEveryFlippedBitAndAnotherKey) {
  SeededEntropy entropy(2);
  const SigningKey key = SigningKey::Generate(entropy), other = SigningKey::Generate(entropy);
  const Bytes message = {1, 2, 3};
  const Signature signature = key.Sign(message);
  EXPECT_FALSE(Verify(other.public_key(), message, signature));
  for (int bit = 0; bit < 512; ++bit) {
    Signature flipped = signature;
    flipped[bit / 8] ^= 1 << bit % 8;
    EXPECT_FALSE(Verify(key.public_key(), message, flipped)) << bit;
  }
  EXPECT_FALSE(Verify(key.public_key(), Bytes{1, 2, 4}, signature));
}

TEST(Ed25519, RefusesASignatureWhoseScalarWasRaisedByTheGroupOrder) {
  const SigningKey key = SigningKey::FromSeed(Secret(kVectors[0].seed)).value();
  const auto order = Raw<32>("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  Signature raised = Raw<64>(kVectors[0].signature);
  unsigned carry = 0;
  for (int i = 0; i < 32; ++i) {
    const unsigned sum = raised[32 + i] + order[i] + carry;
    raised[32 + i] = static_cast<std::uint8_t>(sum);
    carry = sum >> 8;
  }
  EXPECT_FALSE(Verify(key.public_key(), {}, raised));
}

TEST(RawKeys, ASeedOfAnotherSizeIsRefused) {
  EXPECT_EQ(AgreementKey::FromSeed(SecretBytes(31)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(SigningKey::FromSeed(SecretBytes(33)).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace consilium::crypto
