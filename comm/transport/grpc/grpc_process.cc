#include "comm/transport/grpc/grpc_process.h"

#include <grpc/support/log.h>

#include <cstdlib>
#include <mutex>
#include <string_view>

#include "comm/base/log.h"
#include "comm/transport/grpc/handshake_reasons.h"
#include "comm/transport/grpc/log_limiter.h"

namespace consilium::transport {
namespace {

constexpr int kEventsPerSecondMax = 5;  // of one kind

// "Handshake failed with fatal error SSL_ERROR_SSL: error:0A000086:SSL routines::certificate verify failed." -> what
// stands after the last "::", and what it means.
std::string HandshakeReason(std::string_view message) {
  if (const std::size_t at = message.rfind("::"); at != std::string_view::npos) message.remove_prefix(at + 2);
  while (message.ends_with('.') || message.ends_with(' ')) message.remove_suffix(1);
  const bool not_tls =
      message == "wrong version number" || message == "http request" || message == "packet length too long";
  return std::string(message) + (not_tls ? ": what the peer sent is not TLS" : "");
}

void OnGrpcLog(gpr_log_func_args* args) {
  static LogLimiter limiter(kEventsPerSecondMax);
  const std::string_view message = args->message;
  std::uint64_t suppressed = 0;
  if (message.find("Handshake failed") != std::string_view::npos) {
    const std::string reason = HandshakeReason(message), complaint = TakeCertificateComplaint();
    if (limiter.Admit(reason, &suppressed))
      Log(LogLevel::kWarning, "tls_handshake_failed",
          {{"reason", reason + (complaint.empty() ? "" : ": ") + complaint}, {"suppressed", suppressed}});
  } else if (args->severity == GPR_LOG_SEVERITY_ERROR && limiter.Admit(args->file, &suppressed)) {
    Log(LogLevel::kWarning, "grpc", {{"message", message}, {"suppressed", suppressed}});
  }
}

}  // namespace

void PrepareGrpcProcess() {
  static std::once_flag once;
  std::call_once(once, [] {
    ::setenv("GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES256-GCM-SHA384", /*overwrite=*/1);
    WatchCertificateChecks();
    gpr_set_log_function(&OnGrpcLog);
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  });
}

}  // namespace consilium::transport
