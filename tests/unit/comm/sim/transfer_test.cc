#include <gtest/gtest.h>

#include "comm/sim/blob_transfer.h"

namespace consilium::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const wire::TaskKey kTask{JobId("trial"), Round{0}, Attempt{0}, wire::TaskKind::kTrain};

struct Site final : Endpoint {
  void OnAccepted(StreamId, const std::string&, const std::string&) override {}
  void OnConnected(StreamId stream) override { client->OnConnected(stream); }
  void OnMessage(StreamId stream, Bytes message) override { client->OnMessage(stream, message); }
  void OnClosed(StreamId stream, const Status& reason) override { client->OnClosed(stream, reason); }
  TransferClient* client = nullptr;
};
struct Hub final : Endpoint {
  void OnAccepted(StreamId stream, const std::string& peer, const std::string& purpose) override {
    server->OnAccepted(stream, peer, purpose);
  }
  void OnConnected(StreamId) override {}
  void OnMessage(StreamId stream, Bytes message) override { server->OnMessage(stream, message); }
  void OnClosed(StreamId stream, const Status&) override { server->OnClosed(stream); }
  TransferServer* server = nullptr;
};

class Transfer : public ::testing::Test {
 protected:
  Transfer() {
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::uint8_t>(i * i);
    manifest = wire::ManifestOf(content);
    site.client = &client;
    hub.server = &server;
    site_node.Start({});
    hub_node.Start({});
    network.Attach(&site_node, &site);
    network.Attach(&hub_node, &hub);
  }
  // Until the transfer in hand has ended.
  Status Run() {
    queue.RunUntil(queue.Now() + seconds(600), [this] { return result.has_value(); });
    return std::exchange(result, std::nullopt).value_or(DeadlineExceeded("no end"));
  }
  Status Fetch() {
    client.Fetch(manifest, [this](const Status& status) { result = status; });
    return Run();
  }
  Status Upload() {
    client.Upload(kTask, manifest, content, [this](const Status& status) { result = status; });
    return Run();
  }

  EventQueue queue;
  Trace trace{&queue};
  Network network{&queue, &trace, {}};
  Node site_node{&queue, {.name = "site"}}, hub_node{&queue, {.name = "hub"}};
  BlobStore site_store{&site_node.disk()}, hub_store{&hub_node.disk()};
  TransferStats stats;
  Status fetch_gate, upload_gate;
  TransferOptions options{.unit_bytes = 1000, .window_units = 4};
  TransferClient client{&network, &site_store, "site", "hub", options, &stats};
  TransferServer server{&network,
                        &hub_store,
                        "hub",
                        {[this](const SiteName&, const Digest&) { return fetch_gate; },
                         [this](const SiteName&, const wire::UploadOffer&) { return upload_gate; }},
                        options,
                        &stats};
  Site site;
  Hub hub;
  Bytes content = Bytes(20500);
  wire::BlobManifest manifest;
  std::optional<Status> result;
};

TEST_F(Transfer, ABlobArrivesWholeInBothDirections) {
  ASSERT_TRUE(Upload().ok());
  EXPECT_EQ(hub_store.Read(manifest.digest).value(), content);
  ASSERT_TRUE(Fetch().ok());
  EXPECT_EQ(site_store.Read(manifest.digest).value(), content);
  EXPECT_EQ(stats.bytes_sent, 2 * content.size());
  ASSERT_TRUE(Upload().ok() && Fetch().ok());
  EXPECT_EQ(stats.bytes_sent, 2 * content.size()) << "what is there is not sent again";
}

TEST_F(Transfer, AfterCutsItGoesOnWhereItStopped) {
  network.SetAllLines({.delay = milliseconds(20), .bytes_per_second = 20000});
  int cuts = 0;
  for (int i = 1; i <= 4; ++i) queue.After(milliseconds(250 * i), [this] { network.Cut("site", "hub"); });
  while (Upload().code() == StatusCode::kUnavailable) ++cuts;
  EXPECT_EQ(hub_store.Read(manifest.digest).value(), content);
  EXPECT_GE(cuts, 2);
  EXPECT_GE(stats.resumed, 1u);
  EXPECT_EQ(stats.bytes_repeated, 0u);
  // What was on its way when the line was cut is sent again, and nothing else.
  EXPECT_LE(stats.bytes_sent,
            content.size() + static_cast<std::size_t>(cuts) * options.window_units * options.unit_bytes);
}

TEST_F(Transfer, TheGateDecidesAndItsWordsReachTheSite) {
  fetch_gate = NotFound("no model is in force");
  EXPECT_EQ(Fetch().message(), "no model is in force");
  upload_gate = FailedPrecondition("not this site's work");
  EXPECT_EQ(Upload().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(stats.bytes_sent, 0u);
  upload_gate = AlreadyExists("the update is there");
  EXPECT_TRUE(Upload().ok());
  EXPECT_EQ(stats.bytes_sent, 0u);
}

TEST_F(Transfer, AFullDiskEndsItWithAWordAndRoomLetsItGoOn) {
  hub_node.disk().SetFull(true);
  EXPECT_EQ(Upload().code(), StatusCode::kStorage);
  hub_node.disk().SetFull(false);
  EXPECT_TRUE(Upload().ok());
  EXPECT_TRUE(hub_store.Has(manifest.digest));
}

}  // namespace
}  // namespace consilium::sim
