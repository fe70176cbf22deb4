#include <gtest/gtest.h>

#include "privacy/crypto/aead.h"
#include "privacy/crypto/hkdf.h"
#include "privacy/crypto/key_stream.h"

namespace consilium::crypto {
namespace {

Bytes Hex(std::string_view hex) { return FromHex(hex).value(); }
Bytes Count(int from, int to) {
  Bytes bytes;
  for (int i = from; i < to; ++i) bytes.push_back(static_cast<std::uint8_t>(i));
  return bytes;
}

TEST(Hkdf, DerivesAsInRfc5869) {  // A.1 to A.3
  const Bytes secret(22, 0x0b);
  EXPECT_EQ(ToHex(HkdfSha256(secret, Count(0, 13), Count(0xf0, 0xfa), 42).Reveal()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  EXPECT_EQ(
      ToHex(HkdfSha256(Count(0, 0x50), Count(0x60, 0xb0), Count(0xb0, 0x100), 82).Reveal()),
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8"
      "367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  EXPECT_EQ(ToHex(HkdfSha256(secret, {}, {}, 42).Reveal()),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

const std::string kPlain =
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad"
    "2b41"
    "7be66c3710";
std::array<std::uint8_t, 16> Counter() {
  std::array<std::uint8_t, 16> counter{};
  const Bytes bytes = Hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  std::copy(bytes.begin(), bytes.end(), counter.begin());
  return counter;
}

TEST(KeyStream, IsThatOfSp80038a) {  // F.5.1 and F.5.5
  struct Vector {
    StreamCipher cipher;
    const char *key, *sealed;
  };
  for (const Vector& vector :
       {Vector{StreamCipher::kAes128Ctr, "2b7e151628aed2a6abf7158809cf4f3c",
               "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff5ae4df3edbd5d35e5b4f09020db03eab1e031dd"
               "a2fbe03d1"
               "792170a0f3009cee"},
        Vector{StreamCipher::kAes256Ctr, "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
               "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c52b0930daa23de94ce87017ba2d84988ddfc9c58"
               "db67aada6"
               "13c2dd08457941a6"}}) {
    KeyStream stream(vector.cipher, SecretBytes(Hex(vector.key)), Counter());
    Bytes bytes(64);
    stream.Read(bytes);
    const Bytes plain = Hex(kPlain);
    for (std::size_t i = 0; i < 64; ++i) bytes[i] ^= plain[i];
    EXPECT_EQ(ToHex(bytes), vector.sealed);
  }
}

TEST(KeyStream, CanBeReadFromAnyBlockInAnyPieces) {
  const Bytes key(16, 7);
  KeyStream whole(StreamCipher::kAes128Ctr, SecretBytes(key), Counter());
  Bytes all(100 * 1024);
  whole.Read(all);
  for (const std::uint64_t block : {0u, 1u, 255u, 256u, 6000u}) {  // the counter carries out of its low byte and on
    KeyStream part(StreamCipher::kAes128Ctr, SecretBytes(key), Counter());
    part.Seek(block);
    Bytes bytes(3000);
    part.Read(std::span(bytes).first(16 * 11));
    part.Read(std::span(bytes).subspan(16 * 11));
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), all.begin() + static_cast<std::ptrdiff_t>(16 * block))) << block;
  }
}

TEST(Aead, SealsAsTheGcmSpecificationSays) {  // test cases 13, 14, 16
  EXPECT_EQ(ToHex(Seal(SecretBytes(32), {}, {}, {})), "530f8afbc74536b9a963b4f1c4cb738b");
  EXPECT_EQ(ToHex(Seal(SecretBytes(32), {}, {}, Bytes(16))),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
  const SecretBytes key(Hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"));
  Nonce nonce{};
  const Bytes iv = Hex("cafebabefacedbaddecaf888");
  std::copy(iv.begin(), iv.end(), nonce.begin());
  const Bytes plain =
      Hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0d"
          "e657ba63"
          "7b39");
  const Bytes associated = Hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const Bytes sealed = Seal(key, nonce, associated, plain);
  EXPECT_EQ(ToHex(sealed),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393"
            "ba7a0abcc9"
            "f66276fc6ece0f4e1768cddf8853bb2d551b");
  EXPECT_EQ(ToHex(Open(key, nonce, associated, sealed).value().Reveal()), ToHex(plain));
}

TEST(Aead, OpensNothingThatWasChanged) {
  const SecretBytes key(Bytes(32, 1)), other(Bytes(32, 2));
  const Bytes associated = {1}, sealed = Seal(key, {}, associated, Bytes{1, 2, 3});
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes flipped = sealed;
    flipped[bit / 8] ^= 1 << bit % 8;
    EXPECT_EQ(Open(key, {}, associated, flipped).code(), StatusCode::kUnauthenticated) << bit;
  }
  for (std::size_t size = 0; size < sealed.size(); ++size)
    EXPECT_FALSE(Open(key, {}, associated, ByteSpan(sealed).first(size)).ok()) << size;
  EXPECT_FALSE(Open(other, {}, associated, sealed).ok());
  EXPECT_FALSE(Open(key, {1}, associated, sealed).ok());
  EXPECT_FALSE(Open(key, {}, Bytes{2}, sealed).ok());
  EXPECT_TRUE(Open(key, {}, associated, sealed).ok());
}

}  // namespace
}  // namespace consilium::crypto
