#include "comm/wire/job_compression.h"

namespace consilium::wire {
namespace {

using tensor::Compression;

void ReadScheme(ConfigReader& reader, const std::string& key, tensor::CompressionSpec* compression) {
  std::string scheme = "none";
  reader.Read(key, &scheme, OneOf({"none", "fp16", "int8", "topk"}));
  if (!reader.status().ok()) return;
  compression->scheme = tensor::CompressionFromName(scheme).value();
  compression->error_feedback = compression->scheme == Compression::kTopK;
}

}  // namespace

void ReadCompression(ConfigReader& federation, tensor::CompressionSpec* compression) {
  if (!federation.node()["compression"].IsMap()) return ReadScheme(federation, "compression", compression);
  federation.ReadMap("compression", [&](ConfigReader& reader) {
    reader.Require("scheme");
    ReadScheme(reader, "scheme", compression);
    reader.Read("fraction", &compression->fraction, Rule<double>([](const double& fraction) {
                  return fraction > 0 && fraction <= 1 ? std::string() : std::string("above 0 and at most 1");
                }));
    reader.Read("error_feedback", &compression->error_feedback);
    if (reader.Has("fraction") && compression->scheme != Compression::kTopK)
      reader.Refuse("fraction", "no fraction: topk alone has one");
    if (compression->error_feedback && compression->scheme == Compression::kNone)
      reader.Refuse("error_feedback", "no error feedback where nothing is rounded away");
  });
}

Json CompressionToJson(const tensor::CompressionSpec& compression) {
  if (compression.scheme == Compression::kNone) return "none";
  Json json = {{"scheme", tensor::CompressionName(compression.scheme)}, {"error_feedback", compression.error_feedback}};
  if (compression.scheme == Compression::kTopK) json["fraction"] = compression.fraction;
  return json;
}

}  // namespace consilium::wire
