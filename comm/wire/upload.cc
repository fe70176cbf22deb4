#include "comm/wire/upload.h"

#include "comm/wire/codec.h"

namespace consilium::wire {

Bytes Encode(const UploadOffer& offer, std::uint32_t minor) {
  UploadOffer copy = offer;
  FieldWriter writer(minor);
  Fields(writer, copy.task), writer(copy.manifest);
  return std::move(writer).Take();
}

StatusOr<UploadOffer> DecodeUploadOffer(ByteSpan bytes, std::uint32_t minor) {
  if (bytes.size() > kMessageBytesMax)
    return DataLoss("an upload offer of ", bytes.size(), " bytes; at most ", kMessageBytesMax, " are accepted");
  UploadOffer offer;
  FieldReader reader(bytes, minor);
  Fields(reader, offer.task), reader(offer.manifest);
  RETURN_IF_ERROR(reader.Finish());
  return offer;
}

}  // namespace consilium::wire
