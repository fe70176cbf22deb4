// What a session needs to be finished by another process: written once the survivors have confirmed.
#include <algorithm>
#include <cstring>

#include "privacy/secagg/message_lists.h"
#include "privacy/secagg/server.h"

namespace consilium::secagg {
namespace {

constexpr std::uint8_t kFormat = 2;  // 1 had no audit log's state
constexpr std::size_t kNameBytesMax = 256;
constexpr std::size_t kPartBytesMax = 16 << 20;

void PutTerms(ByteWriter& writer, const SessionTerms& terms) {
  writer.PutString(terms.job.value());
  writer.Put(terms.round), writer.Put(terms.attempt);
  writer.Put(static_cast<std::uint32_t>(terms.cohort.size()));
  for (const Member& member : terms.cohort) writer.PutString(member.name.value()), writer.PutRaw(member.key);
  for (const Digest* digest : {&terms.model, &terms.configuration, &terms.beacon, &terms.privacy})
    writer.PutRaw(digest->bytes);
  writer.Put(terms.dimension), writer.Put(terms.clip), writer.Put(terms.corrupt), writer.Put(terms.min_cohort);
  writer.Put(terms.cipher);
}

template <std::size_t N>
void GetArray(ByteReader& reader, std::array<std::uint8_t, N>* out) {
  if (const ByteSpan raw = reader.GetRaw(N); !raw.empty()) std::memcpy(out->data(), raw.data(), N);
}

SessionTerms GetTerms(ByteReader& reader) {
  SessionTerms terms;
  terms.job = JobId(reader.GetString(kNameBytesMax));
  terms.round = reader.Get<Round>(), terms.attempt = reader.Get<Attempt>();
  const std::uint32_t count = reader.GetCount(sizeof(std::uint32_t) + sizeof(crypto::RawPublicKey));
  for (std::uint32_t i = 0; i < count && reader.status().ok(); ++i) {
    Member& member = terms.cohort.emplace_back();
    member.name = SiteName(reader.GetString(kNameBytesMax));
    GetArray(reader, &member.key);
  }
  for (Digest* digest : {&terms.model, &terms.configuration, &terms.beacon, &terms.privacy})
    GetArray(reader, &digest->bytes);
  terms.dimension = reader.Get<std::uint64_t>(), terms.clip = reader.Get<double>();
  terms.corrupt = reader.Get<std::uint32_t>(), terms.min_cohort = reader.Get<std::uint32_t>();
  const auto cipher = reader.Get<std::uint8_t>();
  if (cipher != static_cast<std::uint8_t>(crypto::StreamCipher::kAes128Ctr) &&
      cipher != static_cast<std::uint8_t>(crypto::StreamCipher::kAes256Ctr))
    reader.Fail(Concat("cipher ", int{cipher}));
  terms.cipher = static_cast<crypto::StreamCipher>(cipher);
  return terms;
}

}  // namespace

Bytes ServerSession::Transcript() const {
  CONSILIUM_CHECK(phase_ == Phase::kReleases, "a transcript is made when the survivors have confirmed");
  ByteWriter writer;
  writer.Put(kFormat);
  PutTerms(writer, terms_);
  std::vector<Advert> adverts;
  for (const auto& [place, advert] : adverts_) adverts.push_back(advert);
  writer.PutBytes(EncodeAdverts(adverts));
  writer.PutBytes(Encode(SurvivorList{Places(shared_.begin(), shared_.end()), {}}));
  for (const auto& [place, head] : heads_) writer.PutBytes(Encode(head));
  std::vector<Confirmation> confirmations;
  for (const auto& [place, confirmation] : confirmations_) confirmations.push_back(confirmation);
  writer.PutBytes(EncodeConfirmations(confirmations));
  writer.PutBytes(Encode(SurvivorList{survivors_, audit_}));
  return std::move(writer).Take();
}

StatusOr<ServerSession> ServerSession::FromTranscript(ByteSpan bytes) {
  ByteReader reader(bytes);
  if (reader.Get<std::uint8_t>() != kFormat) reader.Fail("a transcript of another format");
  SessionTerms terms = GetTerms(reader);
  RETURN_IF_ERROR(reader.status());
  ASSIGN_OR_RETURN(ServerSession session, Create(std::move(terms)));
  ASSIGN_OR_RETURN(const std::vector<Advert> adverts, DecodeAdverts(reader.GetBytes(kPartBytesMax)));
  for (const Advert& advert : adverts) RETURN_IF_ERROR(session.AddAdvert(advert));
  RETURN_IF_ERROR(session.CloseAdverts());
  ASSIGN_OR_RETURN(const SurvivorList shared, DecodeSurvivorList(reader.GetBytes(kPartBytesMax)));
  for (const Place place : shared.survivors)
    if (!session.advertised_.contains(place)) return DataLoss("place ", place, " shared without an advert");
  // Sealed shares were relayed and are not needed any more.
  session.shared_.insert(shared.survivors.begin(), shared.survivors.end());
  session.phase_ = Phase::kVectors;
  std::vector<Bytes> parts;
  while (reader.status().ok() && reader.remaining() > 0) parts.push_back(reader.GetBytes(kPartBytesMax));
  RETURN_IF_ERROR(reader.Finish());
  if (parts.size() < 2) return DataLoss("a transcript without confirmations");
  for (std::size_t i = 0; i + 2 < parts.size(); ++i) {
    ASSIGN_OR_RETURN(const MaskedHead head, DecodeMaskedHead(parts[i]));
    RETURN_IF_ERROR(session.AddVector(head));
  }
  ASSIGN_OR_RETURN(const SurvivorList survivors, DecodeSurvivorList(parts.back()));
  RETURN_IF_ERROR(session.CloseVectors(survivors.audit));
  if (survivors.survivors != session.survivors_) return DataLoss("a transcript whose survivors sent no vectors");
  ASSIGN_OR_RETURN(const std::vector<Confirmation> confirmations, DecodeConfirmations(parts[parts.size() - 2]));
  for (const Confirmation& confirmation : confirmations) RETURN_IF_ERROR(session.AddConfirmation(confirmation));
  RETURN_IF_ERROR(session.CloseConfirmations());
  if (!std::ranges::equal(session.Transcript(), bytes)) return DataLoss("a transcript that is not in canonical form");
  return session;
}

}  // namespace consilium::secagg
