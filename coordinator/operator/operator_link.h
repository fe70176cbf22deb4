// An operator's connection to the coordinator, as the verbs use it.
#pragma once

#include <memory>
#include <string>

#include "comm/base/command.h"
#include "comm/base/json.h"
#include "comm/transport/operator.h"

namespace consilium::coordinator {

// --kit DIR (or CONSILIUM_KIT), --coordinator HOST:PORT and --proxy URL.
struct LinkFlags {
  std::string kit, coordinator, proxy;
};
void AddLinkFlags(Command* command, LinkFlags* flags);

// Strand-bound.
class OperatorLink {
 public:
  // Errors: InvalidArgument when there is no kit or it is not an operator's or a site's; those of ConnectOperator.
  static StatusOr<OperatorLink> Open(const LinkFlags& flags);

  // One question, one answer of the kind `Reply`.
  template <typename Reply>
  StatusOr<Reply> Ask(const wire::OperatorRequest& request) {
    StatusOr<wire::OperatorReply> reply = AskOnce(request);
    return Unpack<Reply>(std::move(reply));
  }
  // The same, over a connection that may be cut and a coordinator that may be restarted meanwhile: asks again, for at
  // most kPatience.  Only for what may be asked twice.
  template <typename Reply>
  StatusOr<Reply> AskAgain(const wire::OperatorRequest& request) {
    return Unpack<Reply>(AskPatiently(request));
  }
  // A Document's JSON.
  StatusOr<Json> AskForJson(const wire::OperatorRequest& request);

 private:
  template <typename Reply>
  static StatusOr<Reply> Unpack(StatusOr<wire::OperatorReply> reply) {
    if (!reply.ok()) return reply.status();
    if (auto* wanted = std::get_if<Reply>(&*reply)) return std::move(*wanted);
    return DataLoss("the coordinator gave another kind of answer than was asked for (another version of consilium?)");
  }
  StatusOr<wire::OperatorReply> AskOnce(const wire::OperatorRequest& request);
  StatusOr<wire::OperatorReply> AskPatiently(const wire::OperatorRequest& request);
  Status Dial();

  LinkFlags flags_;
  std::unique_ptr<transport::OperatorTransport> transport_;
};

}  // namespace consilium::coordinator
