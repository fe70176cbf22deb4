// A variant of message structs as bytes: u8 alternative, then the fields.  Internal to wire: each message's fields are
// listed by a Fields(io, message) overload next to it.
#pragma once

#include <variant>

#include "comm/wire/fields.h"
#include "comm/wire/messages.h"

namespace consilium::wire {

template <typename Io>
void Fields(Io& io, TaskKey& task) {
  io(task.job), io(task.round), io(task.attempt), io.Enum(task.kind, TaskKind::kStatistics);
  if (io.minor() >= 1) io(task.subject);
}

template <typename Variant>
Bytes EncodeVariant(const Variant& message, std::uint32_t minor = kProtocolMinor) {
  FieldWriter writer(minor);
  writer.Put(static_cast<std::uint8_t>(message.index()));
  std::visit([&](auto copy) { Fields(writer, copy); }, message);
  return std::move(writer).Take();
}

template <typename Variant, std::size_t Index = 0>
StatusOr<Variant> DecodeVariant(std::uint8_t index, FieldReader* reader) {
  if constexpr (Index == std::variant_size_v<Variant>) {
    return DataLoss("message kind ", int{index}, " is not known");
  } else {
    if (index != Index) return DecodeVariant<Variant, Index + 1>(index, reader);
    std::variant_alternative_t<Index, Variant> message;
    Fields(*reader, message);
    RETURN_IF_ERROR(reader->Finish());
    return Variant(std::move(message));
  }
}

template <typename Variant>
StatusOr<Variant> DecodeVariantMessage(ByteSpan bytes, std::uint32_t minor = kProtocolMinor) {
  if (bytes.size() > kMessageBytesMax)
    return DataLoss("a message of ", bytes.size(), " bytes; at most ", kMessageBytesMax, " are accepted");
  FieldReader reader(bytes, minor);
  const auto index = reader.Get<std::uint8_t>();
  RETURN_IF_ERROR(reader.status());
  return DecodeVariant<Variant>(index, &reader);
}

}  // namespace consilium::wire
