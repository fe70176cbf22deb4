#include "comm/transport/grpc/grpc_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include "comm/transport/grpc/grpc_process.h"
#include "comm/transport/grpc/own_certificate.h"
#include "comm/transport/grpc/server_ask.h"
#include "comm/transport/grpc/server_fetch.h"
#include "comm/transport/grpc/server_session.h"
#include "comm/transport/grpc/server_upload.h"
#include "comm/transport/grpc/tcp_dial.h"
#include "comm/transport/grpc/tuning.h"

namespace consilium::transport {
namespace {

// For the ends of sessions to reach the sites.
constexpr std::chrono::milliseconds kShutdownGrace{500};

class FederationService final : public v1::Federation::CallbackService {
 public:
  explicit FederationService(ServerState* state) : state_(state) {}

  ServerSession::Reactor* Session(grpc::CallbackServerContext* context) override {
    return ServerSession::Start(state_, context);
  }
  grpc::ServerWriteReactor<v1::Piece>* Fetch(grpc::CallbackServerContext* context,
                                             const v1::FetchRequest* request) override {
    return ServerFetch::Start(state_, context, request);
  }
  grpc::ServerReadReactor<v1::UploadPart>* Upload(grpc::CallbackServerContext* context, v1::UploadResult*) override {
    return ServerUpload::Start(state_, context);
  }
  grpc::ServerUnaryReactor* UploadStatus(grpc::CallbackServerContext* context, const v1::UploadStatusRequest* request,
                                         v1::UploadStatusReply* reply) override {
    return ServerUploadStatus::Start(state_, context, request, reply);
  }

 private:
  ServerState* const state_;
};

class OperationsService final : public v1::Operations::CallbackService {
 public:
  explicit OperationsService(ServerState* state) : state_(state) {}

  grpc::ServerUnaryReactor* Ask(grpc::CallbackServerContext* context, const v1::Question* question,
                                v1::Answer* answer) override {
    return ServerAsk::Start(state_, state_->options().operators, &open_, context, question, answer);
  }

 private:
  ServerState* const state_;
  OpenQuestions open_;
};

class GrpcCoordinatorTransport final : public CoordinatorTransport {
 public:
  GrpcCoordinatorTransport(GrpcServerOptions options, PeerName self, CoordinatorEvents* events)
      : state_(std::move(options), std::move(self), events), service_(&state_), operations_(&state_) {}
  ~GrpcCoordinatorTransport() override { Shutdown(); }

  Status Listen(const OwnCertificate& own);

  void Send(SessionId session, wire::CoordinatorMessage message) override {
    if (const auto found = state_.FindSession(session)) found->Send(message);
  }
  void Close(SessionId session, wire::Refusal refusal) override {
    if (const auto found = state_.FindSession(session)) found->Refuse(std::move(refusal));
  }
  Traffic TrafficOf(const SiteName& site) const override { return state_.TrafficOf(site); }
  int port() const override { return port_; }
  void Shutdown() override {
    if (!server_) return;
    state_.BeginShutdown();
    server_->Shutdown(std::chrono::system_clock::now() + kShutdownGrace);
    server_->Wait();
    state_.AwaitNoCalls();
    server_.reset();
  }

 private:
  ServerState state_;
  FederationService service_;
  OperationsService operations_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

Status GrpcCoordinatorTransport::Listen(const OwnCertificate& own) {
  const GrpcServerOptions& options = state_.options();
  RETURN_IF_ERROR(CheckPortIsFree(options.address, options.port));
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = own.ca_pem;
  tls.pem_key_cert_pairs.push_back({own.key_pem, own.certificate_pem});
  grpc::ServerBuilder builder;
  TuneServer(&builder);
  const bool is_ipv6 = options.address.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + options.address + "]" : options.address;
  builder.AddListeningPort(Concat(host, ":", options.port), grpc::SslServerCredentials(tls), &port_);
  builder.RegisterService(&service_);
  builder.RegisterService(&operations_);
  server_ = builder.BuildAndStart();
  if (!server_ || port_ == 0) return Unavailable("gRPC cannot listen on ", host, ":", options.port);
  return Status();
}

}  // namespace

GrpcServerOptions ServerOptionsFrom(const Kit& kit) {
  GrpcServerOptions options;
  options.address = kit.listen_address;
  options.port = kit.coordinator_port;
  options.tls = kit.tls;
  options.sites = kit.sites;
  return options;
}

StatusOr<std::unique_ptr<CoordinatorTransport>> StartGrpcServer(GrpcServerOptions options, CoordinatorEvents* events) {
  PrepareGrpcProcess();
  CONSILIUM_CHECK(options.blobs != nullptr && events != nullptr, "the transport needs a blob store and events");
  ASSIGN_OR_RETURN(const OwnCertificate own, LoadOwnCertificate(options.tls, Role::kCoordinator));
  auto transport = std::make_unique<GrpcCoordinatorTransport>(std::move(options), own.self, events);
  RETURN_IF_ERROR(transport->Listen(own));
  return std::unique_ptr<CoordinatorTransport>(std::move(transport));
}

}  // namespace consilium::transport
