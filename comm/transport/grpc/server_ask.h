// One question of an operator: decoded, handed to the coordinator's shell, answered when the shell has the answer.
#pragma once

#include "comm/transport/grpc/server_state.h"
#include "comm/transport/operator.h"
#include "federation.grpc.pb.h"

namespace consilium::transport {

// How many questions each party has open, with its bound.  Thread-safe.
class OpenQuestions {
 public:
  // False: too many.
  bool Begin(const std::string& who);
  void End(const std::string& who);

 private:
  std::mutex mutex_;
  std::map<std::string, std::size_t> open_;
};

class ServerAsk final : public grpc::ServerUnaryReactor,
                        public LiveCall,
                        public std::enable_shared_from_this<ServerAsk> {
 public:
  // `events` and `open` outlive the call.
  static grpc::ServerUnaryReactor* Start(ServerState* state, OperatorEvents* events, OpenQuestions* open,
                                         grpc::CallbackServerContext* context, const v1::Question* question,
                                         v1::Answer* answer);

  // The client's own deadline ends a question that takes too long.
  void CheckDeadlines(Instant) override {}
  void EndForShutdown() override { Answer(Unavailable("the coordinator is shutting down")); }

 private:
  ServerAsk(ServerState* state, OpenQuestions* open, v1::Answer* answer)
      : state_(state), open_(open), answer_(answer) {}
  void OnCancel() override { Answer(Cancelled("the operator no longer waits")); }
  void OnDone() override;
  void Answer(const StatusOr<wire::OperatorReply>& reply);

  ServerState* const state_;
  OpenQuestions* const open_;
  v1::Answer* const answer_;  // lives until Finish
  std::string who_;           // counted in open_; empty: refused
  std::atomic<bool> answered_{false};
  std::shared_ptr<ServerAsk> self_;  // until OnDone
};

}  // namespace consilium::transport
