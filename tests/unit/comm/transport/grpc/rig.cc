#include "tests/unit/comm/transport/grpc/rig.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/base/entropy.h"
#include "comm/base/file.h"
#include "comm/base/log.h"

namespace consilium::transport::testing {

wire::TaskKey AnyTask() { return {JobId("heart-1"), Round{3}, Attempt{0}, wire::TaskKind::kTrain}; }

Rig::Rig(const std::function<void(GrpcServerOptions*)>& adjust) {
  CONSILIUM_CHECK(LogToFile(scratch_ / "log").ok());
  blobs_ = BlobStore::Open(scratch_ / "coordinator-blobs").value();
  GrpcServerOptions options = ServerOptionsFrom(ReadKit(parties_.folder("coordinator"), Role::kCoordinator).value());
  options.address = "127.0.0.1";
  options.port = 0;
  options.blobs = blobs_.get();
  if (adjust) adjust(&options);
  auto started = StartGrpcServer(std::move(options), &events_);
  CONSILIUM_CHECK(started.ok(), started.status());
  coordinator_ = std::move(started).value();
}

Rig::~Rig() {
  events_.Unblock();
  coordinator_->Shutdown();
}

std::string Rig::log() { return ReadFile(scratch_ / "log").value(); }

GrpcClientOptions Rig::ClientOptions(const std::string& site) {
  GrpcClientOptions options = ClientOptionsFrom(ReadKit(parties_.folder(site), Role::kSite).value());
  options.port = coordinator_->port();
  options.hello.build = "test";
  options.hello.instance = site;
  return options;
}

std::unique_ptr<Site> Rig::Connect(const std::string& site) { return Connect(ClientOptions(site)); }

std::unique_ptr<Site> Rig::Connect(GrpcClientOptions options) {
  auto site = std::make_unique<Site>();
  site->blobs = BlobStore::Open(scratch_ / Concat("site-blobs-", stores_.fetch_add(1))).value();
  options.blobs = site->blobs.get();
  auto connected = ConnectGrpc(std::move(options), &site->events);
  CONSILIUM_CHECK(connected.ok(), connected.status());
  site->transport = std::move(connected).value();
  EXPECT_TRUE(std::holds_alternative<wire::Welcome>(site->events.AwaitMessage()));
  return site;
}

Status Rig::TryConnect(GrpcClientOptions options) {
  Site site;
  site.blobs = BlobStore::Open(scratch_ / Concat("site-blobs-", stores_.fetch_add(1))).value();
  options.blobs = site.blobs.get();
  auto connected = ConnectGrpc(std::move(options), &site.events);
  if (!connected.ok()) return connected.status();
  site.transport = std::move(connected).value();
  if (std::holds_alternative<wire::Welcome>(site.events.AwaitMessage())) return Status();
  return site.events.AwaitDisconnect();
}

void Rig::ExpectWorks(Site* site) {
  const auto file = MakeFile(Concat("works-", works_), 100'000, 1000 + works_);
  ++works_;
  const wire::BlobManifest manifest = wire::ManifestOfFile(file).value();
  const Status uploaded = site->transport->Upload(AnyTask(), manifest, file, nullptr);
  EXPECT_TRUE(IsOk(uploaded));
  const Status fetched = site->transport->Fetch(manifest, nullptr);
  EXPECT_TRUE(IsOk(fetched));
  EXPECT_TRUE(site->blobs->Has(manifest.digest));
}

std::unique_ptr<v1::Federation::Stub> Rig::Stub(const TlsFiles& files) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = ReadFile(parties_.tls("coordinator").ca).value();
  if (!files.key.empty()) {
    tls.pem_private_key = ReadFile(files.key).value();
    tls.pem_cert_chain = ReadFile(files.certificate).value();
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetSslTargetNameOverride(CoordinatorDnsName(kProject, "coordinator"));
  return v1::Federation::NewStub(
      grpc::CreateCustomChannel(Concat("127.0.0.1:", coordinator_->port()), grpc::SslCredentials(tls), arguments));
}

std::filesystem::path Rig::MakeFile(const std::string& name, std::size_t bytes, std::uint64_t seed) {
  Bytes content(bytes);
  SeededEntropy(seed).Fill(content);
  CONSILIUM_CHECK(WriteFileAtomic(scratch_ / name, content).ok());
  return scratch_ / name;
}

}  // namespace consilium::transport::testing
