#include "comm/transport/grpc/status_codes.h"

#include <charconv>
#include <optional>

namespace consilium::transport {
namespace {

constexpr std::string_view kDetailsPrefix = "consilium-status-code:";
// gRPC's limit for all metadata of a call is 8 KiB.
constexpr std::size_t kMessageBytesMax = 2048;

grpc::StatusCode NearestGrpcCode(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return grpc::StatusCode::OK;
    case StatusCode::kInvalidArgument:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case StatusCode::kNotFound:
      return grpc::StatusCode::NOT_FOUND;
    case StatusCode::kAlreadyExists:
      return grpc::StatusCode::ALREADY_EXISTS;
    case StatusCode::kFailedPrecondition:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case StatusCode::kDataLoss:
      return grpc::StatusCode::DATA_LOSS;
    case StatusCode::kDeadlineExceeded:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case StatusCode::kUnavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case StatusCode::kUnauthenticated:
      return grpc::StatusCode::UNAUTHENTICATED;
    case StatusCode::kPermissionDenied:
      return grpc::StatusCode::PERMISSION_DENIED;
    case StatusCode::kResourceExhausted:
    case StatusCode::kPrivacyBudget:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case StatusCode::kPreempted:
    case StatusCode::kCancelled:
      return grpc::StatusCode::CANCELLED;
    case StatusCode::kUnimplemented:
      return grpc::StatusCode::UNIMPLEMENTED;
    case StatusCode::kFailed:
    case StatusCode::kStorage:
    case StatusCode::kRankFailure:
    case StatusCode::kRendezvous:
      return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::UNKNOWN;
}

std::optional<StatusCode> CodeInDetails(const grpc::Status& status) {
  const std::string details = status.error_details();
  if (!details.starts_with(kDetailsPrefix)) return std::nullopt;
  int code = 0;
  const char* end = details.data() + details.size();
  const auto result = std::from_chars(details.data() + kDetailsPrefix.size(), end, code);
  const bool known = code > static_cast<int>(StatusCode::kOk) && code <= static_cast<int>(StatusCode::kUnimplemented);
  if (result.ec != std::errc() || result.ptr != end || !known) return std::nullopt;
  return static_cast<StatusCode>(code);
}

StatusCode NearestOurCode(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return StatusCode::kDeadlineExceeded;
    case grpc::StatusCode::UNAUTHENTICATED:
      return StatusCode::kUnauthenticated;
    case grpc::StatusCode::PERMISSION_DENIED:
      return StatusCode::kPermissionDenied;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return StatusCode::kResourceExhausted;
    case grpc::StatusCode::CANCELLED:
      return StatusCode::kCancelled;
    case grpc::StatusCode::UNIMPLEMENTED:  // a gRPC server, but not of this service
      return StatusCode::kFailedPrecondition;
    default:
      return StatusCode::kUnavailable;
  }
}

}  // namespace

grpc::Status ToGrpcStatus(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(NearestGrpcCode(status.code()), status.message().substr(0, kMessageBytesMax),
                      Concat(kDetailsPrefix, static_cast<int>(status.code())));
}

Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return Status();
  const std::string message =
      status.error_message().empty() ? "the connection ended without a reason" : status.error_message();
  return Status(CodeInDetails(status).value_or(NearestOurCode(status.error_code())), message);
}

bool IsFromPeer(const grpc::Status& status) { return CodeInDetails(status).has_value(); }

}  // namespace consilium::transport
