// Connections that are cut in the middle: what both sides hear, and where transfers go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "comm/wire/upload.h"
#include "tests/unit/comm/transport/grpc/relay.h"
#include "tests/unit/comm/transport/grpc/rig.h"

namespace consilium::transport::testing {
namespace {

using ::testing::HasSubstr;
using Event = CoordinatorRecorder::Event;

constexpr std::size_t kChunks = 8;
constexpr std::size_t kBytes = kChunks * wire::kChunkBytes - 17;
constexpr std::uint64_t kBytesPerConnection = 3'400'000;  // a little more than three chunks

std::unique_ptr<Site> ConnectThrough(Rig* rig, const Relay& relay) {
  GrpcClientOptions options = rig->ClientOptions("alpha");
  options.port = relay.port();
  return rig->Connect(options);
}

// Asked with alpha's certificate; the coordinator thereby also lets go of a stream that it does not know to be dead.
std::uint32_t ChunksAtCoordinator(Rig* rig, const wire::BlobManifest& manifest) {
  const auto stub = rig->Stub(rig->parties().tls("alpha"));
  grpc::ClientContext context;
  v1::UploadStatusRequest request;
  const Bytes offer = wire::Encode(wire::UploadOffer{AnyTask(), manifest});
  request.set_offer(offer.data(), offer.size());
  v1::UploadStatusReply reply;
  EXPECT_TRUE(stub->UploadStatus(&context, request, &reply).ok());
  return reply.chunks_done();
}

TEST(Resume, NoChunkThatTheCoordinatorHasIsSentAgain) {
  Rig rig;
  Relay relay(rig.coordinator().port());
  relay.CutAfter(kBytesPerConnection);
  const auto file = rig.MakeFile("update", kBytes, 8);
  const wire::BlobManifest manifest = wire::ManifestOfFile(file).value();
  int connections = 0;
  Status status = Unavailable("not tried");
  while (!status.ok()) {
    ASSERT_EQ(status.code(), StatusCode::kUnavailable) << status;
    ASSERT_LT(++connections, 10);
    const std::uint32_t had = ChunksAtCoordinator(&rig, manifest);
    const auto site = ConnectThrough(&rig, relay);
    std::vector<std::uint64_t> sent;
    status = site->transport->Upload(AnyTask(), manifest, file,
                                     [&](std::uint64_t done, std::uint64_t) { sent.push_back(done); });
    ASSERT_FALSE(sent.empty());
    EXPECT_EQ(sent.front(), std::min<std::uint64_t>(kBytes, std::uint64_t{had + 1} * wire::kChunkBytes));
    if (!status.ok()) {
      EXPECT_EQ(site->events.AwaitDisconnect().code(), StatusCode::kUnavailable);
    }
  }
  EXPECT_GT(connections, 1);
  const Traffic traffic = rig.coordinator().TrafficOf(SiteName("alpha"));
  EXPECT_EQ(traffic.chunks_received, kChunks);  // each once
  EXPECT_EQ(traffic.bytes_received, kBytes);
  EXPECT_GT(traffic.receive_bytes_per_second, 0);
  EXPECT_EQ(wire::ManifestOfFile(rig.blobs().PathOf(manifest.digest)).value().digest, manifest.digest);
}

TEST(Resume, NoChunkThatTheSiteHasIsFetchedAgain) {
  Rig rig;
  Relay relay(rig.coordinator().port());
  relay.CutAfter(kBytesPerConnection);
  const wire::BlobManifest manifest = rig.blobs().Import(rig.MakeFile("model", kBytes, 9)).value();
  // One local store for all connections, as a site has.
  const auto blobs = BlobStore::Open(rig.folder("store")).value();
  std::vector<std::uint64_t> received;
  std::uint64_t counted = 0;
  Status status = Unavailable("not tried");
  for (int connections = 0; !status.ok(); ++connections) {
    ASSERT_EQ(status.code(), StatusCode::kUnavailable) << status;
    ASSERT_LT(connections, 10);
    SiteRecorder events;
    GrpcClientOptions options = rig.ClientOptions("alpha");
    options.port = relay.port();
    options.blobs = blobs.get();
    const auto transport = ConnectGrpc(options, &events);
    ASSERT_TRUE(IsOk(transport.status()));
    status = (*transport)->Fetch(manifest, [&](std::uint64_t done, std::uint64_t) { received.push_back(done); });
    counted += (*transport)->traffic().chunks_received;
  }
  EXPECT_EQ(counted, kChunks);
  ASSERT_EQ(received.size(), kChunks);  // each once
  for (std::size_t i = 0; i < kChunks; ++i)
    EXPECT_EQ(received[i], std::min<std::uint64_t>(kBytes, std::uint64_t{i + 1} * wire::kChunkBytes));
  EXPECT_EQ(wire::ManifestOfFile(blobs->PathOf(manifest.digest)).value().digest, manifest.digest);
}

TEST(Resume, ACutIsHeardOnBothSidesAsUnavailable) {
  Rig rig;
  auto relay = std::make_unique<Relay>(rig.coordinator().port());
  const auto site = ConnectThrough(&rig, *relay);
  const auto other = rig.Connect("beta");
  rig.events().Await(Event::kConnect, "alpha");
  relay.reset();
  const Status reason = site->events.AwaitDisconnect();
  EXPECT_EQ(reason.code(), StatusCode::kUnavailable);
  EXPECT_THAT(reason.message(), HasSubstr("the connection to the coordinator was lost"));
  EXPECT_EQ(rig.events().Await(Event::kDisconnect, "alpha").reason.code(), StatusCode::kUnavailable);
  rig.ExpectWorks(other.get());
  rig.ExpectWorks(rig.Connect("alpha").get());
}

TEST(Resume, CloseEndsABlockedTransfer) {
  Rig rig;
  const auto site = rig.Connect("alpha");
  const wire::BlobManifest manifest = rig.blobs().Import(rig.MakeFile("model", kBytes, 9)).value();
  rig.events().Block();
  Status status;
  std::thread fetching([&] { status = site->transport->Fetch(manifest, nullptr); });
  site->transport->Close();
  fetching.join();
  EXPECT_EQ(status.code(), StatusCode::kCancelled);
  EXPECT_EQ(site->transport->Fetch(manifest, nullptr).code(), StatusCode::kCancelled);
}

TEST(Resume, AStalledTransferEndsAtItsDeadline) {
  Rig rig;
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.stall_timeout = std::chrono::milliseconds(200);
  const auto site = rig.Connect(options);
  const wire::BlobManifest manifest = rig.blobs().Import(rig.MakeFile("model", kBytes, 9)).value();
  rig.events().Block();
  const Status status = site->transport->Fetch(manifest, nullptr);
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(status.message(), HasSubstr("chunk 1 of 8 did not come within 200ms"));
}

}  // namespace
}  // namespace consilium::transport::testing
