// What a site announces before it uploads a blob.
#pragma once

#include "comm/wire/messages.h"

namespace consilium::wire {

struct UploadOffer {
  TaskKey task;  // the work that the blob is the result of
  BlobManifest manifest;
  friend bool operator==(const UploadOffer&, const UploadOffer&) = default;
};

Bytes Encode(const UploadOffer& offer, std::uint32_t minor = kProtocolMinor);
// DataLoss when the bytes are not an offer, or its manifest contradicts itself (CheckManifest).
StatusOr<UploadOffer> DecodeUploadOffer(ByteSpan bytes, std::uint32_t minor = kProtocolMinor);

}  // namespace consilium::wire
