// How fast a model travels between a site and its coordinator over gRPC and mutual TLS 1.3 on loopback, beside one raw
// TLS 1.3 stream of the same bytes whose receiver takes their SHA-256 as well, and beside what a receiver who keeps the
// blob must do: hash and write.  The three take turns, because others use this machine too.
#include <sys/resource.h>

#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <optional>

#include "comm/base/entropy.h"
#include "comm/base/file.h"
#include "comm/transport/grpc/grpc_client.h"
#include "comm/transport/grpc/grpc_server.h"
#include "coordinator/provision/provision.h"
#include "tests/bench/raw_tls.h"

namespace consilium::transport {
namespace {

constexpr std::size_t kBytes = 64 << 20;
constexpr int kRepeats = 9;
constexpr int kEchoes = 500;

// Allows everything, and sends each heartbeat's task back as a Receipt.
class Coordinator final : public CoordinatorEvents {
 public:
  void OnConnect(const SiteName&, SessionId, const wire::Hello&) override {}
  void OnMessage(const SiteName&, SessionId session, wire::SiteMessage) override {
    transport->Send(session, wire::Receipt{});
  }
  void OnDisconnect(const SiteName&, SessionId, const Status&) override {}
  Status AuthorizeFetch(const SiteName&, const Digest&) override { return Status(); }
  Status AuthorizeUpload(const SiteName&, const wire::TaskKey&, const wire::BlobManifest&) override { return Status(); }
  CoordinatorTransport* transport = nullptr;
};

class Site final : public SiteEvents {
 public:
  void OnMessage(wire::CoordinatorMessage) override {
    const std::lock_guard lock(mutex_);
    ++messages_;
    changed_.notify_all();
  }
  void OnDisconnect(const Status&) override {}
  void Await(int messages) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return messages_ >= messages; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int messages_ = 0;
};

template <typename Work>
void KeepBest(double* best, const Work& work) {
  const Instant begin = SystemClock().Now();
  work();
  *best = std::min(*best, Seconds(SystemClock().Now() - begin));
}

void Run(const std::filesystem::path& folder) {
  coordinator::Project project;
  project.name = "bench";
  project.host = "127.0.0.1";
  project.port = 1;
  project.sites = {SiteName("site")};
  CONSILIUM_CHECK(coordinator::MakeKits(project, folder / "kits").ok());
  const auto here = BlobStore::Open(folder / "here").value(), there = BlobStore::Open(folder / "there").value();
  Coordinator events;
  GrpcServerOptions server = ServerOptionsFrom(ReadKit(folder / "kits" / "coordinator").value());
  server.address = "127.0.0.1";
  server.port = 0;
  server.blobs = here.get();
  server.silence_timeout = std::chrono::hours(1);  // this site sends no heartbeats
  const auto coordinator = StartGrpcServer(server, &events).value();
  events.transport = coordinator.get();
  Site site_events;
  GrpcClientOptions client = ClientOptionsFrom(ReadKit(folder / "kits" / "site").value());
  client.port = coordinator->port();
  client.blobs = there.get();
  const auto site = ConnectGrpc(client, &site_events).value();

  Bytes content(kBytes);
  SeededEntropy(1).Fill(content);
  const std::filesystem::path file = folder / "model";
  CONSILIUM_CHECK(WriteFileAtomic(file, content).ok());
  const wire::BlobManifest manifest = wire::ManifestOfFile(file).value();
  const Digest content_digest = Sha256Of(content);
  bench::RawTls raw_tls(server.tls, client.tls);
  double raw = 1e9, least = 1e9, uploading = 1e9, fetching = 1e9;
  for (int i = 0; i < kRepeats; ++i) {
    KeepBest(&raw, [&] { CONSILIUM_CHECK(raw_tls.Send(content) == content_digest); });
    CONSILIUM_CHECK(there->Remove(manifest.digest).ok() && here->Remove(manifest.digest).ok());
    KeepBest(&least, [&] {
      const auto receiver = there->Receive(manifest).value();
      for (std::size_t at = 0; at < kBytes; at += wire::kChunkBytes)
        CONSILIUM_CHECK(receiver->Append(ByteSpan(content).subspan(at, wire::kChunkBytes)).ok());
      CONSILIUM_CHECK(receiver->Finish().ok());
    });
    KeepBest(&uploading, [&] { CONSILIUM_CHECK(site->Upload({}, manifest, file, nullptr).ok()); });
    CONSILIUM_CHECK(there->Remove(manifest.digest).ok());
    KeepBest(&fetching, [&] { CONSILIUM_CHECK(site->Fetch(manifest, nullptr).ok()); });
  }
  const Instant begin = SystemClock().Now();
  for (int i = 0; i < kEchoes; ++i) {
    site->Send(wire::Heartbeat{});
    site_events.Await(i + 2);  // Welcome was the first
  }
  const double echo = Seconds(SystemClock().Now() - begin) / kEchoes;
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  const double gigabytes = 1e-9 * kBytes;
  std::printf("one blob of %zu MiB over gRPC and mutual TLS 1.3 on loopback, both ends in this process, best of %d\n",
              kBytes >> 20, kRepeats);
  std::printf("  raw TLS 1.3 and SHA-256  %6.3f s   %5.2f GB/s\n", raw, gigabytes / raw);
  std::printf("  receiver without network %6.3f s   %5.2f GB/s   %.2f of raw TLS\n", least, gigabytes / least,
              raw / least);
  std::printf("  fetch                    %6.3f s   %5.2f GB/s   %.2f of raw TLS\n", fetching, gigabytes / fetching,
              raw / fetching);
  std::printf("  upload                   %6.3f s   %5.2f GB/s   %.2f of raw TLS\n", uploading, gigabytes / uploading,
              raw / uploading);
  std::printf("  a message and its answer %6.0f us\n", 1e6 * echo);
  std::printf("  peak memory %ld MiB, of which the blob's content %zu\n", usage.ru_maxrss >> 10, kBytes >> 20);
  site->Close();
  coordinator->Shutdown();
}

}  // namespace
}  // namespace consilium::transport

int main() {
  std::string pattern = (std::filesystem::temp_directory_path() / "consilium-bench-XXXXXX").string();
  CONSILIUM_CHECK(::mkdtemp(pattern.data()) != nullptr);
  consilium::transport::Run(pattern);
  std::filesystem::remove_all(pattern);
}
