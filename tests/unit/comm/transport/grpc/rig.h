// One coordinator on loopback and its sites, real gRPC and TLS, in one process.
#pragma once

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <atomic>

#include "comm/transport/grpc/grpc_client.h"
#include "comm/transport/grpc/grpc_server.h"
#include "federation.grpc.pb.h"
#include "tests/unit/comm/transport/grpc/parties.h"
#include "tests/unit/comm/transport/grpc/recorders.h"

namespace consilium::transport::testing {

struct Site {
  SiteRecorder events;
  std::unique_ptr<BlobStore> blobs;
  std::unique_ptr<SiteTransport> transport;  // last: its callbacks use the others
};

class Rig {
 public:
  // `adjust` changes the server's options before it starts.
  explicit Rig(const std::function<void(GrpcServerOptions*)>& adjust = nullptr);
  ~Rig();

  Parties& parties() { return parties_; }
  CoordinatorRecorder& events() { return events_; }
  BlobStore& blobs() { return *blobs_; }
  CoordinatorTransport& coordinator() { return *coordinator_; }
  std::filesystem::path folder(const std::string& name) { return scratch_ / name; }
  // What the product logged since the rig began.
  std::string log();

  GrpcClientOptions ClientOptions(const std::string& site);
  // Connects, and waits for Welcome.
  std::unique_ptr<Site> Connect(const std::string& site);
  std::unique_ptr<Site> Connect(GrpcClientOptions options);
  // A status when the connection cannot be made.
  Status TryConnect(GrpcClientOptions options);
  // The site can still do everything: nobody else's misbehaviour has reached it.
  void ExpectWorks(Site* site);
  // A peer that is not bound to our client's manners, with these certificates.
  std::unique_ptr<v1::Federation::Stub> Stub(const TlsFiles& files);

  // A file of `bytes` random bytes.
  std::filesystem::path MakeFile(const std::string& name, std::size_t bytes, std::uint64_t seed);

 private:
  consilium::testing::ScratchFolder scratch_;
  Parties& parties_ = SharedParties();
  CoordinatorRecorder events_;
  std::unique_ptr<BlobStore> blobs_;
  std::atomic<int> stores_ = 0;
  std::uint64_t works_ = 0;
  std::unique_ptr<CoordinatorTransport> coordinator_;
};

wire::TaskKey AnyTask();
// For EXPECT_TRUE: shows the status when it is none.
inline ::testing::AssertionResult IsOk(const Status& status) {
  return status.ok() ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << status;
}

}  // namespace consilium::transport::testing
