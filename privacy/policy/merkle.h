// The Merkle tree hash of RFC 6962, section 2.1: one number that stands for a list of any length.
#pragma once

#include <cstdint>
#include <vector>

#include "comm/base/digest.h"

namespace consilium::policy {

// Grows one leaf at a time with one hash a level.  Value semantics.
class MerkleTree {
 public:
  void Add(ByteSpan leaf);
  std::uint64_t size() const { return size_; }
  // Of the empty tree: SHA-256 of nothing.
  Digest Root() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest> peaks_;  // roots of the full subtrees, largest first: one a set bit of size_
};

}  // namespace consilium::policy
