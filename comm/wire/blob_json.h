// A blob's manifest as JSON, for files of this program's own.
#pragma once

#include "comm/base/json.h"
#include "comm/base/status.h"
#include "comm/wire/blob.h"

namespace consilium::wire {

Json BlobManifestToJson(const BlobManifest& manifest);
// Errors: those of Digest::FromHex and CheckManifest.  Throws Json::exception for a field that is missing or of another
// kind.
StatusOr<BlobManifest> BlobManifestFromJson(const Json& json);

}  // namespace consilium::wire
