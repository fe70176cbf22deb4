#include "comm/base/status.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace consilium {

std::string_view StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "ok";
    case StatusCode::kFailed:
      return "failed";
    case StatusCode::kInvalidArgument:
      return "invalid argument";
    case StatusCode::kNotFound:
      return "not found";
    case StatusCode::kAlreadyExists:
      return "already exists";
    case StatusCode::kFailedPrecondition:
      return "failed precondition";
    case StatusCode::kDataLoss:
      return "data loss";
    case StatusCode::kDeadlineExceeded:
      return "deadline exceeded";
    case StatusCode::kUnavailable:
      return "unavailable";
    case StatusCode::kUnauthenticated:
      return "unauthenticated";
    case StatusCode::kPermissionDenied:
      return "refused";
    case StatusCode::kResourceExhausted:
      return "limit reached";
    case StatusCode::kStorage:
      return "storage";
    case StatusCode::kRankFailure:
      return "rank failure";
    case StatusCode::kRendezvous:
      return "rendezvous";
    case StatusCode::kPrivacyBudget:
      return "privacy budget spent";
    case StatusCode::kPreempted:
      return "preempted";
    case StatusCode::kCancelled:
      return "cancelled";
    case StatusCode::kUnimplemented:
      return "not built yet";
  }
  return "unknown";
}

Status::Status(StatusCode code, std::string message) {
  if (code != StatusCode::kOk) state_ = std::make_shared<const State>(State{code, std::move(message), nullptr});
}

std::string Status::message() const {
  std::string joined;
  for (const State* state = state_.get(); state != nullptr; state = state->cause.get()) {
    if (!joined.empty()) joined += ": ";
    joined += state->message;
  }
  return joined;
}

std::string Status::ToString() const { return ok() ? "ok" : std::string(StatusCodeName(code())) + ": " + message(); }

std::ostream& operator<<(std::ostream& out, const Status& status) { return out << status.ToString(); }

Status AnnotateWith(Status status, std::string context) {
  Status annotated;
  annotated.state_ =
      std::make_shared<const Status::State>(Status::State{status.code(), std::move(context), std::move(status.state_)});
  return annotated;
}

Status ErrnoStatus(int error_number, std::string what) {
  StatusCode code = StatusCode::kFailed;
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      code = StatusCode::kNotFound;
      break;
    case EEXIST:
      code = StatusCode::kAlreadyExists;
      break;
    case EACCES:  // a file's mode, which a person mends; kPermissionDenied is for policies and certificates
    case EPERM:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
      code = StatusCode::kInvalidArgument;
      break;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      code = StatusCode::kResourceExhausted;
      break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EIO:
    case EROFS:
      code = StatusCode::kStorage;
      break;
    case ETIMEDOUT:
      code = StatusCode::kDeadlineExceeded;
      break;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
      code = StatusCode::kUnavailable;
      break;
    default:
      break;
  }
  return Status(code, what + ": " + std::strerror(error_number));
}

ExitCode ExitCodeFor(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return ExitCode::kDone;
    case StatusCode::kInvalidArgument:
    case StatusCode::kNotFound:
    case StatusCode::kAlreadyExists:
    case StatusCode::kUnimplemented:
      return ExitCode::kBadInput;
    case StatusCode::kRankFailure:
      return ExitCode::kRankFailure;
    case StatusCode::kDeadlineExceeded:
      return ExitCode::kDeadline;
    case StatusCode::kRendezvous:
      return ExitCode::kRendezvous;
    case StatusCode::kStorage:
      return ExitCode::kStorage;
    case StatusCode::kUnauthenticated:
    case StatusCode::kPermissionDenied:
      return ExitCode::kRefused;
    case StatusCode::kPrivacyBudget:
      return ExitCode::kPrivacyBudget;
    case StatusCode::kPreempted:
      return ExitCode::kPreempted;
    default:
      return ExitCode::kFailed;
  }
}

namespace internal {
void DieBecause(const char* file, int line, const char* condition, const std::string& detail) {
  std::fprintf(stderr, "consilium: internal error at %s:%d: %s%s%s. This is a bug in consilium; please report it.\n",
               file, line, condition, detail.empty() ? "" : ": ", detail.c_str());
  std::abort();
}
}  // namespace internal

}  // namespace consilium
