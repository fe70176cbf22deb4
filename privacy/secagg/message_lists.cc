#include "privacy/secagg/message_lists.h"

#include <cmath>
#include <cstring>

namespace consilium::secagg {
namespace {

constexpr std::size_t kMessageBytesMax = 64 << 10;
constexpr std::size_t kNameBytesMax = 256;

template <typename Message>
Bytes EncodeList(std::span<const Message> messages) {
  ByteWriter writer;
  writer.Put(static_cast<std::uint32_t>(messages.size()));
  for (const Message& message : messages) writer.PutBytes(Encode(message));
  return std::move(writer).Take();
}

template <typename Message, typename DecodeOne>
StatusOr<std::vector<Message>> DecodeList(ByteSpan bytes, const DecodeOne& decode_one) {
  ByteReader reader(bytes);
  const std::uint32_t count = reader.GetCount(sizeof(std::uint32_t));
  std::vector<Message> messages;
  for (std::uint32_t i = 0; i < count && reader.status().ok(); ++i) {
    const Bytes one = reader.GetBytes(kMessageBytesMax);
    RETURN_IF_ERROR(reader.status());
    ASSIGN_OR_RETURN(Message message, decode_one(one));
    messages.push_back(std::move(message));
  }
  RETURN_IF_ERROR(reader.Finish());
  return messages;
}

void PutNames(std::span<const SiteName> names, ByteWriter* writer) {
  writer->Put(static_cast<std::uint32_t>(names.size()));
  for (const SiteName& name : names) writer->PutString(name.value());
}

std::vector<SiteName> GetNames(ByteReader* reader) {
  const std::uint32_t count = reader->GetCount(sizeof(std::uint32_t));
  std::vector<SiteName> names;
  for (std::uint32_t i = 0; i < count && reader->status().ok(); ++i)
    names.emplace_back(reader->GetString(kNameBytesMax));
  return names;
}

}  // namespace

Bytes EncodeAdverts(std::span<const Advert> messages) { return EncodeList(messages); }
Bytes EncodeShares(std::span<const SealedShares> messages) { return EncodeList(messages); }
Bytes EncodeConfirmations(std::span<const Confirmation> messages) { return EncodeList(messages); }
StatusOr<std::vector<Advert>> DecodeAdverts(ByteSpan bytes) { return DecodeList<Advert>(bytes, DecodeAdvert); }
StatusOr<std::vector<SealedShares>> DecodeShares(ByteSpan bytes) {
  return DecodeList<SealedShares>(bytes, DecodeSealedShares);
}
StatusOr<std::vector<Confirmation>> DecodeConfirmations(ByteSpan bytes) {
  return DecodeList<Confirmation>(bytes, DecodeConfirmation);
}

Bytes EncodeNames(std::span<const SiteName> names) {
  ByteWriter writer;
  PutNames(names, &writer);
  return std::move(writer).Take();
}

StatusOr<std::vector<SiteName>> DecodeNames(ByteSpan bytes) {
  ByteReader reader(bytes);
  std::vector<SiteName> names = GetNames(&reader);
  RETURN_IF_ERROR(reader.Finish());
  return names;
}

Bytes Encode(const NoisyOpening& opening) {
  ByteWriter writer;
  PutNames(opening.names, &writer);
  writer.Put(opening.clip);
  return std::move(writer).Take();
}

StatusOr<NoisyOpening> DecodeNoisyOpening(ByteSpan bytes) {
  ByteReader reader(bytes);
  NoisyOpening opening{.names = GetNames(&reader), .clip = reader.Get<double>()};
  RETURN_IF_ERROR(reader.Finish());
  if (!std::isfinite(opening.clip)) return DataLoss("a clip that is not finite");
  return opening;
}

Bytes Encode(const SurvivorList& list) {
  ByteWriter writer;
  writer.Put(static_cast<std::uint32_t>(list.survivors.size()));
  for (const Place place : list.survivors) writer.Put(place);
  writer.Put(list.audit.entries);
  writer.PutRaw(list.audit.head.bytes);
  return std::move(writer).Take();
}

StatusOr<SurvivorList> DecodeSurvivorList(ByteSpan bytes) {
  ByteReader reader(bytes);
  const std::uint32_t count = reader.GetCount(sizeof(Place));
  SurvivorList list;
  for (std::uint32_t i = 0; i < count && reader.status().ok(); ++i) list.survivors.push_back(reader.Get<Place>());
  list.audit.entries = reader.Get<std::uint64_t>();
  if (const ByteSpan raw = reader.GetRaw(list.audit.head.bytes.size()); !raw.empty())
    std::memcpy(list.audit.head.bytes.data(), raw.data(), raw.size());
  RETURN_IF_ERROR(reader.Finish());
  return list;
}

}  // namespace consilium::secagg
