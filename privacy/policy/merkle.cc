#include "privacy/policy/merkle.h"

namespace consilium::policy {
namespace {

Digest NodeOf(const Digest& left, const Digest& right) {
  const std::uint8_t tag = 1;
  Sha256 hash;
  hash.Update({&tag, 1});
  hash.Update(left.bytes);
  hash.Update(right.bytes);
  return hash.Finish();
}

}  // namespace

void MerkleTree::Add(ByteSpan leaf) {
  const std::uint8_t tag = 0;  // so that a leaf can never be taken for a node
  Sha256 hash;
  hash.Update({&tag, 1});
  hash.Update(leaf);
  peaks_.push_back(hash.Finish());
  // As in a binary counter: two subtrees of a size make one of the next.
  for (std::uint64_t carry = size_; carry & 1; carry >>= 1) {
    const Digest right = peaks_.back();
    peaks_.pop_back();
    peaks_.back() = NodeOf(peaks_.back(), right);
  }
  ++size_;
}

Digest MerkleTree::Root() const {
  if (peaks_.empty()) return Sha256Of(ByteSpan());
  Digest root = peaks_.back();
  for (std::size_t i = peaks_.size() - 1; i-- > 0;) root = NodeOf(peaks_[i], root);
  return root;
}

}  // namespace consilium::policy
