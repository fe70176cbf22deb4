#include "privacy/policy/merkle.h"

#include <gtest/gtest.h>

namespace consilium::policy {
namespace {

// The recursive definition of RFC 6962, section 2.1.
Digest Slow(const std::vector<Bytes>& leaves, std::size_t begin, std::size_t end) {
  if (begin == end) return Sha256Of(ByteSpan());
  Bytes bytes;
  if (end - begin == 1) {
    bytes = {0};
    bytes.insert(bytes.end(), leaves[begin].begin(), leaves[begin].end());
    return Sha256Of(bytes);
  }
  std::size_t half = 1;
  while (2 * half < end - begin) half *= 2;
  const Digest left = Slow(leaves, begin, begin + half), right = Slow(leaves, begin + half, end);
  bytes = {1};
  bytes.insert(bytes.end(), left.bytes.begin(), left.bytes.end());
  bytes.insert(bytes.end(), right.bytes.begin(), right.bytes.end());
  return Sha256Of(bytes);
}

TEST(Merkle, GrownLeafByLeafIsTheRecursiveDefinition) {
  MerkleTree tree;
  std::vector<Bytes> leaves;
  for (std::size_t size = 0; size <= 70; ++size) {
    EXPECT_EQ(tree.Root(), Slow(leaves, 0, leaves.size())) << size;
    EXPECT_EQ(tree.size(), size);
    leaves.push_back(Bytes(size % 5, static_cast<std::uint8_t>(size)));
    tree.Add(leaves.back());
  }
}

TEST(Merkle, HasThePublishedRoots) {  // the test vectors of the certificate-transparency project
  EXPECT_EQ(MerkleTree().Root().ToHex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  MerkleTree tree;
  tree.Add({});
  EXPECT_EQ(tree.Root().ToHex(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  tree.Add(Bytes{0});
  EXPECT_EQ(tree.Root().ToHex(), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
}

}  // namespace
}  // namespace consilium::policy
