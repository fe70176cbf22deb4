#include "comm/transport/grpc/operator_client.h"

#include "comm/transport/grpc/grpc_process.h"
#include "comm/transport/grpc/open_channel.h"
#include "comm/transport/grpc/status_codes.h"
#include "federation.grpc.pb.h"

namespace consilium::transport {
namespace {

class GrpcOperatorTransport final : public OperatorTransport {
 public:
  explicit GrpcOperatorTransport(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(v1::Operations::NewStub(channel)) {}

  StatusOr<wire::OperatorReply> Ask(const wire::OperatorRequest& request, Duration timeout) override {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::duration_cast<std::chrono::milliseconds>(timeout));
    v1::Question question;
    v1::Answer answer;
    const Bytes bytes = wire::Encode(request);
    question.set_body(bytes.data(), bytes.size());
    const grpc::Status status = stub_->Ask(&context, question, &answer);
    if (!status.ok()) return Explain(status, timeout);
    StatusOr<wire::OperatorReply> reply = wire::DecodeOperatorReply(AsBytes(answer.body()));
    if (!reply.ok()) return Annotate(reply.status(), "the coordinator's answer could not be read");
    return reply;
  }

 private:
  static Status Explain(const grpc::Status& status, Duration timeout) {
    if (IsFromPeer(status)) return FromGrpcStatus(status);
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)
      return DeadlineExceeded("the coordinator did not answer within ", FormatDuration(timeout));
    if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED)
      return FailedPrecondition("the coordinator is of an older version and takes no questions; update it");
    return Annotate(FromGrpcStatus(status), "the connection to the coordinator was lost");
  }

  const std::unique_ptr<v1::Operations::Stub> stub_;
};

}  // namespace

StatusOr<std::unique_ptr<OperatorTransport>> ConnectOperator(const GrpcClientOptions& options, Role role) {
  PrepareGrpcProcess();
  ASSIGN_OR_RETURN(const OwnCertificate own, LoadOwnCertificate(options.tls, role));
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel, OpenChannel(options, own));
  return std::unique_ptr<OperatorTransport>(std::make_unique<GrpcOperatorTransport>(channel));
}

}  // namespace consilium::transport
