#include "comm/transport/grpc/grpc_process.h"

#include <grpc/support/log.h>

#include <cstdlib>
#include <mutex>
#include <string_view>

namespace consilium::transport {
namespace {

constexpr int kEventsPerSecondMax = 5;

// "Handshake failed with fatal error SSL_ERROR_SSL: error:0A000086:SSL routines::certificate verify failed." -> what
// stands after the last "::".
std::string_view OpensslReason(std::string_view message) {
  if (const std::size_t at = message.rfind("::"); at != std::string_view::npos) message.remove_prefix(at + 2);
  while (message.ends_with('.') || message.ends_with(' ')) message.remove_suffix(1);
  return message;
}

void OnGrpcLog(gpr_log_func_args* args) {
  static LogLimiter handshakes(kEventsPerSecondMax), others(kEventsPerSecondMax);
  const std::string_view message = args->message;
  std::uint64_t suppressed = 0;
  if (message.find("Handshake failed") != std::string_view::npos) {
    if (handshakes.Admit(&suppressed))
      Log(LogLevel::kWarning, "tls_handshake_failed", {{"reason", OpensslReason(message)}, {"suppressed", suppressed}});
  } else if (args->severity == GPR_LOG_SEVERITY_ERROR && others.Admit(&suppressed)) {
    Log(LogLevel::kWarning, "grpc", {{"message", message}, {"suppressed", suppressed}});
  }
}

}  // namespace

void PrepareGrpcProcess() {
  static std::once_flag once;
  std::call_once(once, [] {
    ::setenv("GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES256-GCM-SHA384", /*overwrite=*/1);
    gpr_set_log_function(&OnGrpcLog);
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  });
}

struct LogLimiter::Impl {
  int events_per_second_max;
  const Clock& clock;
  std::mutex mutex;
  Instant window_start{};
  int admitted = 0;  // in this window
  std::uint64_t suppressed = 0;
};

LogLimiter::LogLimiter(int events_per_second_max, const Clock& clock)
    : impl_(new Impl{.events_per_second_max = events_per_second_max, .clock = clock}) {}
LogLimiter::~LogLimiter() = default;

bool LogLimiter::Admit(std::uint64_t* suppressed) {
  const std::lock_guard lock(impl_->mutex);
  const Instant now = impl_->clock.Now();
  if (impl_->admitted == 0 || now - impl_->window_start >= std::chrono::seconds(1)) {
    impl_->window_start = now;
    impl_->admitted = 0;
  }
  if (impl_->admitted >= impl_->events_per_second_max) {
    ++impl_->suppressed;
    return false;
  }
  ++impl_->admitted;
  *suppressed = std::exchange(impl_->suppressed, 0);
  return true;
}

}  // namespace consilium::transport
