#include "privacy/secagg/messages.h"

#include <algorithm>
#include <cstring>

namespace consilium::secagg {
namespace {

// Not inlined: GCC 12 takes the growing vector for one of fixed size and warns of its bounds.
template <std::size_t N>
[[gnu::noinline]] void Put(ByteWriter& writer, const std::array<std::uint8_t, N>& bytes) {
  writer.PutRaw(bytes);
}
void Put(ByteWriter& writer, const Digest& digest) { writer.PutRaw(digest.bytes); }
void Put(ByteWriter& writer, const AuditPoint& point) { writer.Put(point.entries), Put(writer, point.head); }
void Put(ByteWriter& writer, const Share& share) {
  writer.Put(share.x);
  for (const std::uint64_t y : share.y) writer.Put(y);
}

template <std::size_t N>
void Get(ByteReader& reader, std::array<std::uint8_t, N>& bytes) {
  const ByteSpan raw = reader.GetRaw(N);
  if (raw.size() == N) std::memcpy(bytes.data(), raw.data(), N);
}
void Get(ByteReader& reader, Digest& digest) { Get(reader, digest.bytes); }
void Get(ByteReader& reader, AuditPoint& point) {
  point.entries = reader.Get<std::uint64_t>();
  Get(reader, point.head);
}
void Get(ByteReader& reader, Share& share) {
  share.x = reader.Get<ShareX>();
  for (std::uint64_t& y : share.y) y = reader.Get<std::uint64_t>();
}

ByteWriter Start(std::string_view tag, const Digest& context, Place place) {
  ByteWriter writer;
  writer.PutString(tag);
  Put(writer, context);
  writer.Put(place);
  return writer;
}

constexpr std::size_t kReleasedBytes = 4 + 1 + 4 + 8 * kLimbs;
constexpr std::size_t kSealedMax = 1024;

}  // namespace

Digest DigestOf(const Places& places) {
  ByteWriter writer;
  writer.PutString("places");
  writer.Put(static_cast<std::uint32_t>(places.size()));
  for (const Place place : places) writer.Put(place);
  return Sha256Of(writer.bytes());
}

bool IsSortedAndBelow(const Places& places, std::size_t sites) {
  for (std::size_t i = 0; i < places.size(); ++i)
    if (places[i] >= sites || (i > 0 && places[i - 1] >= places[i])) return false;
  return true;
}

Bytes SignedBytes(const Digest& context, const Advert& advert) {
  ByteWriter writer = Start("consilium secagg advertise", context, advert.place);
  Put(writer, advert.channel), Put(writer, advert.mask), Put(writer, advert.commitment);
  return std::move(writer).Take();
}
Bytes SignedBytes(const Digest& context, const MaskedHead& head) {
  ByteWriter writer = Start("consilium secagg masked", context, head.place);
  Put(writer, head.vector), Put(writer, head.sharers);
  return std::move(writer).Take();
}
Bytes SignedBytes(const Digest& context, const Places& survivors, const Confirmation& confirmation) {
  ByteWriter writer = Start("consilium secagg u3", context, confirmation.place);
  Put(writer, DigestOf(survivors)), Put(writer, confirmation.audit);
  return std::move(writer).Take();
}

Bytes AssociatedBytes(const Digest& context, Place from, Place to) {
  ByteWriter writer;
  Put(writer, context);
  writer.Put(from), writer.Put(to);
  return std::move(writer).Take();
}

Digest CommitmentTo(const Digest& context, const SecretBytes& seed) {
  Sha256 hash;
  hash.Update(AsBytes("b"));
  hash.Update(context.bytes);
  hash.Update(seed.Reveal());
  return hash.Finish();
}

Bytes Encode(const Advert& message) {
  ByteWriter writer;
  writer.Put(message.place);
  Put(writer, message.channel), Put(writer, message.mask), Put(writer, message.commitment),
      Put(writer, message.signature);
  return std::move(writer).Take();
}
Bytes Encode(const SealedShares& message) {
  ByteWriter writer;
  writer.Put(message.from), writer.Put(message.to);
  Put(writer, message.nonce);
  writer.PutBytes(message.sealed);
  return std::move(writer).Take();
}
Bytes Encode(const MaskedHead& message) {
  ByteWriter writer;
  writer.Put(message.place);
  Put(writer, message.vector), Put(writer, message.sharers), Put(writer, message.signature);
  return std::move(writer).Take();
}
Bytes Encode(const Confirmation& message) {
  ByteWriter writer;
  writer.Put(message.place);
  Put(writer, message.audit), Put(writer, message.signature);
  return std::move(writer).Take();
}
Bytes Encode(const ShareRelease& message) {
  ByteWriter writer;
  writer.Put(message.from);
  writer.Put(static_cast<std::uint32_t>(message.shares.size()));
  for (const ReleasedShare& released : message.shares)
    writer.Put(released.of), writer.Put(released.kind), Put(writer, released.share);
  return std::move(writer).Take();
}

StatusOr<Advert> DecodeAdvert(ByteSpan bytes) {
  ByteReader reader(bytes);
  Advert message;
  message.place = reader.Get<Place>();
  Get(reader, message.channel), Get(reader, message.mask), Get(reader, message.commitment),
      Get(reader, message.signature);
  RETURN_IF_ERROR(reader.Finish());
  return message;
}
StatusOr<SealedShares> DecodeSealedShares(ByteSpan bytes) {
  ByteReader reader(bytes);
  SealedShares message;
  message.from = reader.Get<Place>(), message.to = reader.Get<Place>();
  Get(reader, message.nonce);
  message.sealed = reader.GetBytes(kSealedMax);
  RETURN_IF_ERROR(reader.Finish());
  return message;
}
StatusOr<MaskedHead> DecodeMaskedHead(ByteSpan bytes) {
  ByteReader reader(bytes);
  MaskedHead message;
  message.place = reader.Get<Place>();
  Get(reader, message.vector), Get(reader, message.sharers), Get(reader, message.signature);
  RETURN_IF_ERROR(reader.Finish());
  return message;
}
StatusOr<Confirmation> DecodeConfirmation(ByteSpan bytes) {
  ByteReader reader(bytes);
  Confirmation message;
  message.place = reader.Get<Place>();
  Get(reader, message.audit), Get(reader, message.signature);
  RETURN_IF_ERROR(reader.Finish());
  return message;
}
StatusOr<ShareRelease> DecodeShareRelease(ByteSpan bytes) {
  ByteReader reader(bytes);
  ShareRelease message;
  message.from = reader.Get<Place>();
  const std::uint32_t count = reader.GetCount(kReleasedBytes);
  for (std::uint32_t i = 0; i < count && reader.status().ok(); ++i) {
    ReleasedShare& released = message.shares.emplace_back();
    released.of = reader.Get<Place>();
    const auto kind = reader.Get<std::uint8_t>();
    if (kind > 1) reader.Fail(Concat("a share of kind ", int{kind}));
    released.kind = static_cast<SecretKind>(kind);
    Get(reader, released.share);
    if (i > 0 && message.shares[i - 1].of >= released.of) reader.Fail("released shares are not in order");
  }
  RETURN_IF_ERROR(reader.Finish());
  return message;
}

// Into its place at once: a buffer that grows would leave shares behind wherever it was.
SecretBytes EncodePair(const SharePair& pair) {
  SecretBytes bytes(kSharePairBytes);
  std::span<std::uint8_t> rest = bytes.RevealMutable();
  const auto put = [&rest](const auto& value) {
    std::memcpy(rest.data(), &value, sizeof value);
    rest = rest.subspan(sizeof value);
  };
  put(pair.from), put(pair.to);
  for (const Share* share : {&pair.mask_key, &pair.self_mask}) put(share->x), put(share->y);
  return bytes;
}

StatusOr<SharePair> DecodePair(ByteSpan bytes) {
  ByteReader reader(bytes);
  SharePair pair;
  pair.from = reader.Get<Place>(), pair.to = reader.Get<Place>();
  Get(reader, pair.mask_key), Get(reader, pair.self_mask);
  RETURN_IF_ERROR(reader.Finish());
  return pair;
}

}  // namespace consilium::secagg
