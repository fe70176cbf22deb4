#include "comm/wire/blob_json.h"

#include "comm/base/json_number.h"

namespace consilium::wire {

Json BlobManifestToJson(const BlobManifest& manifest) {
  Json json = {{"digest", manifest.digest.ToHex()}, {"bytes", manifest.bytes}, {"chunks", Json::array()}};
  for (const Digest& chunk : manifest.chunks) json["chunks"].push_back(chunk.ToHex());
  return json;
}

StatusOr<BlobManifest> BlobManifestFromJson(const Json& json) {
  BlobManifest manifest;
  ASSIGN_OR_RETURN(manifest.digest, Digest::FromHex(json.at("digest").get<std::string>()));
  manifest.bytes = WholeNumber<std::uint64_t>(json.at("bytes"));
  for (const Json& chunk : json.at("chunks")) {
    ASSIGN_OR_RETURN(const Digest digest, Digest::FromHex(chunk.get<std::string>()));
    manifest.chunks.push_back(digest);
  }
  RETURN_IF_ERROR(CheckManifest(manifest));
  return manifest;
}

}  // namespace consilium::wire
