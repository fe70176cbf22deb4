#include "privacy/secagg/mask.h"

#include <algorithm>
#include <thread>

#include "privacy/crypto/hkdf.h"

namespace consilium::secagg {
namespace {

// A tile of the sum and the key stream for it stay in the innermost cache while all masks pass over the tile.
constexpr std::size_t kTileWords = 2048;  // 8 KiB
constexpr std::size_t kBlockWords = 4;    // of one AES block

crypto::KeyStream StreamOf(const SecretBytes& seed, const MaskOptions& options) {
  const std::size_t key_bytes = crypto::KeyBytes(options.cipher);
  const SecretBytes material =
      crypto::HkdfSha256(seed.Reveal(), options.context.bytes, AsBytes("mask"), key_bytes + 16);
  const ByteSpan bytes = material.Reveal();
  SecretBytes key(Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(key_bytes)));
  std::array<std::uint8_t, 16> counter;
  std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(key_bytes), bytes.end(), counter.begin());
  return crypto::KeyStream(options.cipher, key, counter);
}

void Accumulate(Sign sign, std::span<const std::uint32_t> mask, std::span<std::uint32_t> sum) {
  if (sign == Sign::kAdd) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += mask[i];
  } else {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] -= mask[i];
  }
}

void ApplyToRange(std::span<const MaskTerm> terms, const MaskOptions& options, std::uint64_t begin,
                  std::span<std::uint32_t> sum) {
  std::vector<crypto::KeyStream> streams;
  streams.reserve(terms.size());
  for (const MaskTerm& term : terms) {
    streams.push_back(StreamOf(*term.seed, options));
    streams.back().Seek(begin / kBlockWords);
  }
  // The first tile may begin inside a block: `skip` words of it are made and not used.
  std::size_t skip = begin % kBlockWords;
  alignas(64) std::array<std::uint32_t, kTileWords> words;
  while (!sum.empty()) {
    const std::size_t use = std::min(sum.size(), kTileWords - skip);
    // Whole blocks, so that the stream stays at a block's beginning.
    const std::size_t make = (skip + use + kBlockWords - 1) / kBlockWords * kBlockWords;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      streams[i].Read({reinterpret_cast<std::uint8_t*>(words.data()), make * sizeof(std::uint32_t)});
      Accumulate(terms[i].sign, std::span(words).subspan(skip, use), sum.first(use));
    }
    sum = sum.subspan(use);
    skip = 0;
  }
  OPENSSL_cleanse(words.data(), sizeof words);
}

}  // namespace

void ApplyMasks(std::span<const MaskTerm> terms, const MaskOptions& options, std::uint64_t begin,
                std::span<std::uint32_t> sum) {
  if (terms.empty() || sum.empty()) return;
  const std::size_t parts = std::clamp<std::size_t>(options.threads, 1, (sum.size() + kTileWords - 1) / kTileWords);
  const std::size_t tiles = (sum.size() + kTileWords - 1) / kTileWords;
  const auto part = [&](std::size_t index) {
    const std::size_t from = tiles * index / parts * kTileWords;
    const std::size_t to = std::min(tiles * (index + 1) / parts * kTileWords, sum.size());
    ApplyToRange(terms, options, begin + from, sum.subspan(from, to - from));
  };
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < parts; ++i) threads.emplace_back(part, i);
  part(0);
}

}  // namespace consilium::secagg
