#include "coordinator/operator/operator_link.h"

#include <cstdlib>
#include <iostream>
#include <thread>

#include "comm/transport/grpc/operator_client.h"

namespace consilium::coordinator {
namespace {

constexpr char kKitVariable[] = "CONSILIUM_KIT";
// Longer than the coordinator lets a log's reader wait.
constexpr auto kTimeout = std::chrono::milliseconds(wire::kLogWaitMaxMs) + std::chrono::seconds(20);
constexpr auto kPatience = std::chrono::minutes(10);
constexpr auto kPauseMax = std::chrono::milliseconds(5000);

bool IsPassing(StatusCode code) { return code == StatusCode::kUnavailable || code == StatusCode::kCancelled; }

}  // namespace

void AddLinkFlags(Command* command, LinkFlags* flags) {
  command->Option("--kit", &flags->kit, Concat("your kit, made by consilium provision (default: $", kKitVariable, ")"));
  command->Option("--coordinator", &flags->coordinator,
                  "host:port instead of the kit's; the certificate is checked all the same");
  command->Option("--proxy", &flags->proxy,
                  "http://[NAME:PASSWORD@]HOST:PORT of an HTTP proxy on the way, or none (default: the variables "
                  "https_proxy and no_proxy)");
}

StatusOr<OperatorLink> OperatorLink::Open(const LinkFlags& flags) {
  OperatorLink link;
  link.flags_ = flags;
  if (const char* variable = std::getenv(kKitVariable); link.flags_.kit.empty() && variable != nullptr)
    link.flags_.kit = variable;
  if (link.flags_.kit.empty())
    return InvalidArgument("no kit is given: add --kit DIR with the folder that you got as an operator, or set ",
                           kKitVariable);
  RETURN_IF_ERROR(link.Dial());
  return link;
}

Status OperatorLink::Dial() {
  ASSIGN_OR_RETURN(transport::Kit kit, transport::ReadKit(flags_.kit));
  if (kit.self.role == transport::Role::kCoordinator)
    return InvalidArgument(flags_.kit, " is the coordinator's own kit; operators have kits of their own ",
                           "(operators in project.yaml, consilium provision)");
  RETURN_IF_ERROR(transport::PointKitAt(flags_.coordinator, &kit));
  transport::GrpcClientOptions options = transport::ClientOptionsFrom(kit);
  options.proxy = flags_.proxy;
  ASSIGN_OR_RETURN(transport_, transport::ConnectOperator(options, kit.self.role));
  return Status();
}

StatusOr<wire::OperatorReply> OperatorLink::AskOnce(const wire::OperatorRequest& request) {
  return transport_->Ask(request, kTimeout);
}

StatusOr<wire::OperatorReply> OperatorLink::AskPatiently(const wire::OperatorRequest& request) {
  const Instant give_up = SystemClock().Now() + kPatience;
  auto pause = std::chrono::milliseconds(200);
  for (bool told = false;; pause = std::min(kPauseMax, pause * 2)) {
    Status failure;
    if (!transport_) failure = Dial();
    if (transport_) {
      StatusOr<wire::OperatorReply> reply = AskOnce(request);
      if (reply.ok() || !IsPassing(reply.code())) return reply;
      failure = reply.status();
      transport_.reset();
    }
    if (!IsPassing(failure.code())) return failure;
    if (SystemClock().Now() > give_up) return Annotate(failure, "tried for ", FormatDuration(kPatience));
    if (!std::exchange(told, true))
      std::cerr << "(" << failure.message() << "; trying again for " << FormatDuration(kPatience) << ")\n";
    std::this_thread::sleep_for(pause);
  }
}

StatusOr<Json> OperatorLink::AskForJson(const wire::OperatorRequest& request) {
  ASSIGN_OR_RETURN(const wire::Document document, Ask<wire::Document>(request));
  return ParseJson(document.json, "the coordinator's answer");
}

}  // namespace consilium::coordinator
