#include "comm/base/digest.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "comm/base/file.h"

namespace consilium {
namespace {

// FIPS 180-4 examples.
TEST(Sha256, EqualsThePublishedVectors) {
  EXPECT_EQ(Sha256Of("").ToHex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Of("abc").ToHex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").ToHex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Sha256Of(std::string(1'000'000, 'a')).ToHex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnHowTheBytesAreCut) {
  const std::string text = "three hospitals, one model";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 hash;
    hash.Update(AsBytes(std::string_view(text).substr(0, cut)));
    hash.Update(AsBytes(std::string_view(text).substr(cut)));
    EXPECT_EQ(hash.Finish(), Sha256Of(text)) << "cut at " << cut;
  }
}

TEST(Sha256, OfAFileEqualsThatOfItsBytes) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "digest_test.bin";
  const std::string content(1 << 19, 'x');  // two reads
  ASSERT_TRUE(WriteFileAtomic(path, content).ok());
  EXPECT_EQ(Sha256OfFile(path).value(), Sha256Of(content));
  std::filesystem::remove(path);
  EXPECT_EQ(Sha256OfFile(path).code(), StatusCode::kNotFound);
}

TEST(Digest, HexComesBackAndOtherTextIsRefused) {
  const Digest digest = Sha256Of("abc");
  EXPECT_EQ(Digest::FromHex(digest.ToHex()).value(), digest);
  EXPECT_EQ(Digest::FromHex("abc").status().message(), "a SHA-256 digest has 64 hexadecimal digits, not 3");
  EXPECT_EQ(Digest::FromHex(std::string(64, 'g')).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace consilium
