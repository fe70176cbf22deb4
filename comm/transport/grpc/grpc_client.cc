#include "comm/transport/grpc/grpc_client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <utility>

#include "comm/transport/grpc/client_session.h"
#include "comm/transport/grpc/client_stream.h"
#include "comm/transport/grpc/grpc_process.h"
#include "comm/transport/grpc/open_channel.h"
#include "comm/transport/grpc/proxy.h"
#include "comm/transport/grpc/tls_probe.h"
#include "comm/transport/grpc/tuning.h"

namespace consilium::transport {
namespace {

class GrpcSiteTransport final : public SiteTransport {
 public:
  GrpcSiteTransport(GrpcClientOptions options, const std::shared_ptr<grpc::Channel>& channel,
                    const std::shared_ptr<grpc::Channel>& transfer_channel, SiteEvents* events)
      : options_(std::move(options)),
        stub_(v1::Federation::NewStub(channel)),
        transfer_stub_(v1::Federation::NewStub(transfer_channel)),
        session_(stub_.get(), events, options_.queued_messages_max) {}
  ~GrpcSiteTransport() override { Close(); }

  void Start() { session_.Start(options_.hello, options_.connect_timeout); }

  void Send(wire::SiteMessage message) override { session_.Send(message); }
  Status Fetch(const wire::BlobManifest& manifest, const Progress& progress) override {
    return Annotate(FetchBlob(transfers(), manifest, options_.blobs, progress), "fetching blob ",
                    manifest.digest.ToHex().substr(0, 12));
  }
  Status Upload(const wire::TaskKey& task, const wire::BlobManifest& manifest, const std::filesystem::path& path,
                const Progress& progress) override {
    return Annotate(UploadBlob(transfers(), {task, manifest}, path, progress), "uploading ", path.string());
  }
  Traffic traffic() const override { return traffic_.Read(); }
  void Close() override {
    calls_.Close();
    session_.Close();
  }

 private:
  TransferOptions transfers() {
    return {transfer_stub_.get(), &calls_, options_.stall_timeout, session_.minor(), &traffic_};
  }

  const GrpcClientOptions options_;
  const std::unique_ptr<v1::Federation::Stub> stub_, transfer_stub_;
  OpenCalls calls_;
  TrafficMeter traffic_;
  ClientSession session_;
};

std::shared_ptr<grpc::Channel> MakeChannel(const GrpcClientOptions& options, const std::optional<Proxy>& proxy,
                                           const OwnCertificate& own, const ChannelTiming& timing) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = own.ca_pem;
  tls.pem_private_key = own.key_pem;
  tls.pem_cert_chain = own.certificate_pem;
  grpc::ChannelArguments arguments;
  TuneChannel(&arguments, timing);
  // Who the coordinator is, its certificate says; the address is only the way there.
  arguments.SetSslTargetNameOverride(CoordinatorDnsName(own.self.project, options.coordinator_name));
  // The proxy is chosen here and not by gRPC, whose rules about the environment are not those of other programs, and
  // which would not let an option override them.  These two arguments are what its own choice ends in.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  std::string address = HostAndPort(options.host, options.port);
  if (proxy) {
    arguments.SetString("grpc.http_connect_server", std::exchange(address, proxy->where()));
    if (!proxy->authorization.empty())
      arguments.SetString("grpc.http_connect_headers", "Proxy-Authorization:" + proxy->authorization);
  }
  return grpc::CreateCustomChannel("dns:///" + address, grpc::SslCredentials(tls), arguments);
}

// False: the try failed, or the deadline passed.
bool AwaitReady(grpc::Channel* channel, std::chrono::system_clock::time_point deadline) {
  for (;;) {
    const grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return true;
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) return false;
    if (!channel->WaitForStateChange(state, deadline)) return false;
  }
}

Status Connect(grpc::Channel* channel, const GrpcClientOptions& options, const std::optional<Proxy>& proxy,
               const OwnCertificate& own) {
  const auto deadline = std::chrono::system_clock::now() + options.connect_timeout;
  for (;;) {
    if (AwaitReady(channel, deadline)) return Status();
    RETURN_IF_ERROR(ProbeTls({.host = options.host,
                              .port = options.port,
                              .proxy = proxy,
                              .dns_name = CoordinatorDnsName(own.self.project, options.coordinator_name),
                              .timeout = options.connect_timeout},
                             own));
    // Nothing is wrong now: the coordinator has just come up, or a try was unlucky.
    if (std::chrono::system_clock::now() >= deadline)
      return Unavailable("the coordinator at ", HostAndPort(options.host, options.port),
                         " answers, but no connection was made within ", FormatDuration(options.connect_timeout));
    channel->WaitForStateChange(GRPC_CHANNEL_TRANSIENT_FAILURE, deadline);
  }
}

// Blobs have a TCP connection of their own, made with the first of them: on a slow line megabytes wait in the socket's
// buffer, and a heartbeat behind them would come too late.  There the answer to a ping waits as well, so this
// connection is given the time of a piece; that the line is dead is seen by the other one.
StatusOr<std::shared_ptr<grpc::Channel>> MakeTransferChannel(const GrpcClientOptions& options,
                                                             const OwnCertificate& own) {
  ASSIGN_OR_RETURN(const std::optional<Proxy> proxy, ChooseProxy(options.proxy, options.host, ProcessEnvironment()));
  return MakeChannel(options, proxy, own, {options.keepalive, std::max(options.keepalive, options.stall_timeout)});
}

}  // namespace

GrpcClientOptions ClientOptionsFrom(const Kit& kit) {
  GrpcClientOptions options;
  options.host = kit.coordinator_host;
  options.port = kit.coordinator_port;
  options.coordinator_name = kit.coordinator_name;
  options.tls = kit.tls;
  return options;
}

StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const GrpcClientOptions& options, const OwnCertificate& own) {
  ASSIGN_OR_RETURN(const std::optional<Proxy> proxy, ChooseProxy(options.proxy, options.host, ProcessEnvironment()));
  const std::shared_ptr<grpc::Channel> channel = MakeChannel(options, proxy, own, {options.keepalive});
  RETURN_IF_ERROR(Connect(channel.get(), options, proxy, own));
  return channel;
}

StatusOr<std::unique_ptr<SiteTransport>> ConnectGrpc(GrpcClientOptions options, SiteEvents* events) {
  PrepareGrpcProcess();
  CONSILIUM_CHECK(options.blobs != nullptr && events != nullptr, "the transport needs a blob store and events");
  ASSIGN_OR_RETURN(const OwnCertificate own, LoadOwnCertificate(options.tls, Role::kSite));
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel, OpenChannel(options, own));
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> transfer_channel, MakeTransferChannel(options, own));
  auto transport = std::make_unique<GrpcSiteTransport>(std::move(options), channel, transfer_channel, events);
  transport->Start();
  return std::unique_ptr<SiteTransport>(std::move(transport));
}

}  // namespace consilium::transport
