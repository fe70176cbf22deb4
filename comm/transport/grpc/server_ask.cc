#include "comm/transport/grpc/server_ask.h"

#include "comm/transport/grpc/peer_identity.h"
#include "comm/transport/grpc/status_codes.h"

namespace consilium::transport {
namespace {

// A follower of a log, a download, a person: more is a fault.
constexpr std::size_t kOpenMax = 8;

// Who asks, when it may ask at all: an operator of this project, or a site of the roster.
StatusOr<PeerName> AdmitToAsk(ServerState* state, const grpc::CallbackServerContext& context) {
  ASSIGN_OR_RETURN(PeerName peer, PeerIdentity(*context.auth_context(), state->revoked()));
  if (peer.role == Role::kSite) {  // as the sites' own service admits it
    const StatusOr<SiteSlot*> site = state->Admit(context);
    return site.ok() ? StatusOr<PeerName>(std::move(peer)) : site.status();
  }
  if (peer.project != state->self().project)
    return PermissionDenied("the certificate is for project '", peer.project, "', this is project '",
                            state->self().project, "'");
  if (peer.role != Role::kOperator)
    return PermissionDenied("the certificate is for the ", RoleName(peer.role), " '", peer.name,
                            "'; operators and sites may ask here");
  return peer;
}

}  // namespace

bool OpenQuestions::Begin(const std::string& who) {
  const std::lock_guard lock(mutex_);
  std::size_t& open = open_[who];
  if (open >= kOpenMax) return false;
  ++open;
  return true;
}

void OpenQuestions::End(const std::string& who) {
  const std::lock_guard lock(mutex_);
  if (const auto found = open_.find(who); found != open_.end() && --found->second == 0) open_.erase(found);
}

grpc::ServerUnaryReactor* ServerAsk::Start(ServerState* state, OperatorEvents* events, OpenQuestions* open,
                                           grpc::CallbackServerContext* context, const v1::Question* question,
                                           v1::Answer* answer) {
  const std::shared_ptr<ServerAsk> call(new ServerAsk(state, open, answer));
  call->self_ = call;
  state->AddCall(call);
  const StatusOr<PeerName> peer = AdmitToAsk(state, *context);
  Status status = peer.status();
  if (status.ok() && events == nullptr) status = Unimplemented("this coordinator takes no questions");
  StatusOr<wire::OperatorRequest> request = Cancelled("not read");
  if (status.ok()) {
    request = wire::DecodeOperatorRequest(AsBytes(question->body()));
    status = Annotate(request.status(), "a question could not be read (another version of consilium?)");
  }
  if (status.ok() && !open->Begin(ToUri(*peer)))
    status = ResourceExhausted(peer->name, " has ", kOpenMax, " questions open, which is the most");
  if (!status.ok()) {
    state->LogRefused("question_refused", *context, peer.ok() ? ToUri(*peer) : "unknown", status);
    call->Answer(status);
    return call.get();
  }
  call->who_ = ToUri(*peer);
  events->OnRequest(*peer, *std::move(request),
                    [call](const StatusOr<wire::OperatorReply>& reply) { call->Answer(reply); });
  return call.get();
}

void ServerAsk::Answer(const StatusOr<wire::OperatorReply>& reply) {
  if (answered_.exchange(true)) return;
  if (reply.ok()) {
    const Bytes bytes = wire::Encode(*reply);
    answer_->set_body(bytes.data(), bytes.size());
  }
  Finish(ToGrpcStatus(reply.status()));
}

void ServerAsk::OnDone() {
  if (!who_.empty()) open_->End(who_);
  const std::shared_ptr<ServerAsk> self = std::move(self_);
  state_->RemoveCall(self);
}

}  // namespace consilium::transport
