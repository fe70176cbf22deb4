// A coordinator's transport, gRPC and mutual TLS and all, in front of which somebody changes what is said to sites, and
// what is heard of them.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "comm/transport/grpc/grpc_server.h"
#include "comm/transport/transport.h"

namespace consilium::testing {

class LyingTransport;

// About one job.  Called from several threads, one at a time.
struct Lie {
  // Changes what is said to a site.
  std::function<void(const SiteName& to, wire::CoordinatorMessage& message)> tell = {};
  // Sees what a site says before the honest part does; false: that is not to hear of it.
  std::function<bool(LyingTransport& transport, const SiteName& from, const wire::SecureAnswer& answer)> hear = {};
};

// Thread-safe.  Outlives the coordinator.
class LyingTransport final : public transport::CoordinatorEvents {
 public:
  // For CoordinatorOptions::listen.
  StatusOr<std::unique_ptr<transport::CoordinatorTransport>> Listen(transport::GrpcServerOptions options,
                                                                    transport::CoordinatorEvents* honest);
  void LieAbout(const JobId& job, Lie lie);
  // Any site may fetch this blob.
  void Offer(const Digest& blob);
  // Says it as it is, from within Lie::hear.
  void Say(const SiteName& to, wire::CoordinatorMessage message);
  // Who has released shares of the job's sums, as far as was heard here.
  std::set<SiteName> ReleasedOf(const JobId& job);

  void OnConnect(const SiteName& site, SessionId session, const wire::Hello& hello) override;
  void OnMessage(const SiteName& site, SessionId session, wire::SiteMessage message) override;
  void OnDisconnect(const SiteName& site, SessionId session, const Status& reason) override;
  Status AuthorizeFetch(const SiteName& site, const Digest& digest) override;
  Status AuthorizeUpload(const SiteName& site, const wire::TaskKey& task, const wire::BlobManifest& manifest) override;

 private:
  class Door;  // what the coordinator holds
  void Send(SessionId session, wire::CoordinatorMessage message);

  transport::CoordinatorEvents* honest_ = nullptr;
  transport::CoordinatorTransport* inner_ = nullptr;
  std::recursive_mutex mutex_;
  std::map<JobId, Lie> lies_;
  std::map<SessionId, SiteName> sites_;
  std::map<SiteName, SessionId> sessions_;
  std::map<JobId, std::set<SiteName>> released_;
  std::set<Digest> offered_;
};

}  // namespace consilium::testing
