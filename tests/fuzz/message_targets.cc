// Messages of the wire, and records of the journal.
#include "comm/wire/operator.h"
#include "comm/wire/upload.h"
#include "comm/wire/worker.h"
#include "datasets/planner/site_statistics.h"
#include "real_rounds.h"
#include "round_trip.h"

namespace consilium::fuzz {
namespace {

using namespace wire;

// The first byte chooses the version that both sides speak.
template <typename Decode>
void VersionedRoundTrip(ByteSpan input, const Decode& decode) {
  if (input.empty()) return;
  const std::uint32_t minor = input.front() % (kProtocolMinor + 1);
  RoundTrip(
      input.subspan(1), [&](ByteSpan bytes) { return decode(bytes, minor); },
      [&](const auto& message) { return Encode(message, minor); });
}

template <typename Message>
std::vector<Bytes> VersionedSeeds(const std::vector<Message>& messages) {
  std::vector<Bytes> seeds;
  for (const Message& message : messages) {
    Bytes seed = {static_cast<std::uint8_t>(kProtocolMinor)};
    const Bytes encoded = Encode(message, kProtocolMinor);
    seed.insert(seed.end(), encoded.begin(), encoded.end());
    seeds.push_back(std::move(seed));
  }
  return seeds;
}

template <typename Message>
std::vector<Bytes> Encoded(const std::vector<Message>& messages) {
  std::vector<Bytes> seeds;
  for (const Message& message : messages) seeds.push_back(Encode(message));
  return seeds;
}

TaskKey SomeTask() { return {JobId("hippocampus-1"), Round{7}, Attempt{2}, TaskKind::kValidate, "hospital-b"}; }
BlobManifest SomeBlob() {
  const Digest chunk = Sha256Of("chunk");
  BlobManifest manifest{.bytes = 2 * kChunkBytes, .chunks = {chunk, chunk}};
  manifest.digest = DigestOfChunks(manifest);
  return manifest;
}

constexpr Target kTargets[] = {
    {"site_message", [](ByteSpan input) { VersionedRoundTrip(input, DecodeSiteMessage); },
     [] { return VersionedSeeds(SomeRealRounds().from_sites); }},
    {"coordinator_message", [](ByteSpan input) { VersionedRoundTrip(input, DecodeCoordinatorMessage); },
     [] { return VersionedSeeds(SomeRealRounds().from_coordinator); }},
    {"upload_offer", [](ByteSpan input) { VersionedRoundTrip(input, DecodeUploadOffer); },
     [] {
       return VersionedSeeds(std::vector<UploadOffer>{{SomeTask(), SomeBlob()}});
     }},
    {"operator_request",
     [](ByteSpan input) {
       RoundTrip(input, DecodeOperatorRequest, [](const OperatorRequest& request) { return Encode(request); });
     },
     [] {
       return Encoded(std::vector<OperatorRequest>{
           Ping{}, ListJobs{}, AbortJob{JobId("heart"), "enough"}, ReadLog{JobId("heart"), 100, 5000},
           OfferFile{JobId("heart"), "model"}, GetChunk{JobId("heart"), "model", Sha256Of("model"), 3}});
     }},
    {"operator_reply",
     [](ByteSpan input) {
       RoundTrip(input, DecodeOperatorReply, [](const OperatorReply& reply) { return Encode(reply); });
     },
     [] {
       return Encoded(std::vector<OperatorReply>{Pong{.build = "0.1.0", .coordinator = "hub", .you = "spiffe://p/o"},
                                                 SubmitReply{SubmitState::kModelWanted, 3, "queued"}, ChunkTaken{7},
                                                 Document{"{}"}, LogPart{"{}\n", 3, true},
                                                 FileOffer{"model.safetensors", SomeBlob()}, FileChunk{"data"}});
     }},
    {"worker_message",
     [](ByteSpan input) {
       RoundTrip(input, DecodeWorkerMessage, [](const WorkerMessage& message) { return Encode(message); });
     },
     [] {
       return Encoded(std::vector<WorkerMessage>{
           WorkerHello{1, "0.1.0"}, WorkerProgress{SomeTask(), 0.5, {{"loss", 1}}},
           WorkerDone{SomeTask(), 208, {{"loss", 1}}}, WorkerFailed{SomeTask(), StatusCode::kStorage, "disk full"}});
     }},
    {"worker_request",
     [](ByteSpan input) {
       RoundTrip(input, DecodeWorkerRequest, [](const WorkerRequest& request) { return Encode(request); });
     },
     [] {
       return Encoded(std::vector<WorkerRequest>{
           WorkerTask{SomeTask(), "{}", "/data", "/in", "/out", "/state", "/next", "/predictions"}, WorkerCancel{}});
     }},
    {"journal_record",
     [](ByteSpan input) {
       RoundTrip(input, coordinator::DecodeRecord, [](const coordinator::Record& record) { return Encode(record); });
     },
     [] { return Encoded(SomeRealRounds().records); }},
    {"site_statistics",
     [](ByteSpan input) { RoundTrip(input, datasets::DecodeStatistics, datasets::EncodeStatistics); },
     [] {
       using namespace datasets;
       const auto exact = [](double value) { return ValueHistogram(kExactShift, {CellOf(value, kExactShift, 1)}); };
       SiteStatistics site{.channel_names = {"MRI"}, .file_ending = ".nii.gz", .cases = 1};
       site.spacing = {exact(1), exact(1), exact(1)};
       site.shape = site.extent = {exact(40), exact(50), exact(35)};
       site.relative_size = exact(1);
       IntensityStatistics channel{.cases = 1};
       channel.values = ValueHistogram(kIntensityShift, {CellOf(400, kIntensityShift, kCaseWeight)});
       site.channels = {channel};
       site.labels = {
           {.name = "lesion", .value = 1, .volumes = ValueHistogram(kVolumeShift, {CellOf(9, kVolumeShift, 1)})}};
       return std::vector<Bytes>{EncodeStatistics(site)};
     }},
};

}  // namespace

std::span<const Target> MessageTargets() { return kTargets; }

}  // namespace consilium::fuzz
