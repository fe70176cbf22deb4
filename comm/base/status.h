// Errors as values.  Two kinds of failure only: expected ones are a Status, our own bugs are a CHECK.
//
// A Status carries a code, a message and the chain of causes below it: Annotate() says what we were doing, the cause
// keeps what went wrong.  "opening round 12: journal append: No space left on device".
//
// Thread rule: immutable once made; copies share the chain.
#pragma once

#include <cstdlib>
#include <memory>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace consilium {

enum class StatusCode {
  kOk = 0,
  kFailed,           // something went wrong that no other code describes
  kInvalidArgument,  // bad input or configuration: mending the input mends it
  kNotFound,
  kAlreadyExists,
  kFailedPrecondition,  // right input, wrong moment
  kDataLoss,            // bytes are not what they claim to be (digest, truncation, checksum)
  kDeadlineExceeded,
  kUnavailable,        // the peer cannot be reached now; trying again may help
  kUnauthenticated,    // the peer could not prove who it is
  kPermissionDenied,   // refused by policy
  kResourceExhausted,  // a limit that we set was reached (size, quota, memory)
  kStorage,            // the disk failed or is full, a checkpoint cannot be used
  kRankFailure,        // a rank of a gang died or diverged
  kRendezvous,         // the ranks did not find each other
  kPrivacyBudget,
  kPreempted,  // stopped on request after a checkpoint
  kCancelled,
  kUnimplemented,  // known, but not built yet: refused, never ignored
};

// "invalid argument", "data loss", ...
std::string_view StatusCodeName(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(StatusCode code, std::string message);

  bool ok() const { return state_ == nullptr; }
  StatusCode code() const { return ok() ? StatusCode::kOk : state_->code; }
  // The whole chain, outermost first, joined by ": ".  Empty when OK.
  std::string message() const;
  // "invalid argument: job.yaml: train.epochs: ..." for logs.
  std::string ToString() const;

 private:
  friend Status AnnotateWith(Status status, std::string context);
  struct State {
    StatusCode code;
    std::string message;
    std::shared_ptr<const State> cause;
  };
  std::shared_ptr<const State> state_;
};

std::ostream& operator<<(std::ostream& out, const Status& status);

// "a", 3, path -> "a3path".
template <typename... Parts>
std::string Concat(const Parts&... parts) {
  std::ostringstream out;
  ((out << parts), ...);
  return std::move(out).str();
}

Status AnnotateWith(Status status, std::string context);

// Puts what we were doing in front of the cause; OK stays OK.
template <typename... Parts>
Status Annotate(Status status, const Parts&... parts) {
  return status.ok() ? status : AnnotateWith(std::move(status), Concat(parts...));
}

// The fault and its mend in one sentence: InvalidArgument("job.yaml: ", key, " must be at least 1, is ", n).
#define CONSILIUM_STATUS_MAKER(Name)                      \
  template <typename... Parts>                            \
  Status Name(const Parts&... parts) {                    \
    return Status(StatusCode::k##Name, Concat(parts...)); \
  }
CONSILIUM_STATUS_MAKER(Failed)
CONSILIUM_STATUS_MAKER(InvalidArgument)
CONSILIUM_STATUS_MAKER(NotFound)
CONSILIUM_STATUS_MAKER(AlreadyExists)
CONSILIUM_STATUS_MAKER(FailedPrecondition)
CONSILIUM_STATUS_MAKER(DataLoss)
CONSILIUM_STATUS_MAKER(DeadlineExceeded)
CONSILIUM_STATUS_MAKER(Unavailable)
CONSILIUM_STATUS_MAKER(Unauthenticated)
CONSILIUM_STATUS_MAKER(PermissionDenied)
CONSILIUM_STATUS_MAKER(ResourceExhausted)
CONSILIUM_STATUS_MAKER(Storage)
CONSILIUM_STATUS_MAKER(RankFailure)
CONSILIUM_STATUS_MAKER(Rendezvous)
CONSILIUM_STATUS_MAKER(PrivacyBudget)
CONSILIUM_STATUS_MAKER(Preempted)
CONSILIUM_STATUS_MAKER(Cancelled)
CONSILIUM_STATUS_MAKER(Unimplemented)
#undef CONSILIUM_STATUS_MAKER

// A file-system failure with its errno: "writing x: No space left on device"; kStorage for a full or failing disk,
// kNotFound, kInvalidArgument for a path that cannot be opened so (its mode, a folder), and so on otherwise.
Status ErrnoStatus(int error_number, std::string what);

// The stable exit codes that people and launchers rely on.
enum class ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kBadInput = 2,
  kRankFailure = 3,
  kDeadline = 4,
  kRendezvous = 5,
  kStorage = 6,
  kRefused = 7,
  kPrivacyBudget = 8,
  kPreempted = 143,
};
ExitCode ExitCodeFor(const Status& status);

namespace internal {
[[noreturn]] void DieBecause(const char* file, int line, const char* condition, const std::string& detail);
}

// A broken invariant of our own: never on bytes that a peer or a person gave.
#define CONSILIUM_CHECK(condition, ...)                                                                    \
  do {                                                                                                     \
    if (!(condition))                                                                                      \
      ::consilium::internal::DieBecause(__FILE__, __LINE__, #condition, ::consilium::Concat(__VA_ARGS__)); \
  } while (false)

template <typename T>
class [[nodiscard]] StatusOr {
 public:
  StatusOr(T value) : value_(std::move(value)) {}
  StatusOr(Status status) : status_(std::move(status)) { CONSILIUM_CHECK(!status_.ok(), "StatusOr from an OK status"); }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  StatusCode code() const { return status_.code(); }
  T& value() & {
    Require();
    return *value_;
  }
  const T& value() const& {
    Require();
    return *value_;
  }
  T&& value() && {
    Require();
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  void Require() const { CONSILIUM_CHECK(ok(), status_.ToString()); }
  Status status_;
  std::optional<T> value_;
};

#define CONSILIUM_CAT_(a, b) a##b
#define CONSILIUM_CAT(a, b) CONSILIUM_CAT_(a, b)
#define RETURN_IF_ERROR(expression)                                                \
  do {                                                                             \
    if (::consilium::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)
#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_(CONSILIUM_CAT(status_or_, __LINE__), declaration, expression)
#define ASSIGN_OR_RETURN_(temporary, declaration, expression) \
  auto temporary = (expression);                              \
  if (!temporary.ok()) return temporary.status();             \
  declaration = std::move(temporary).value()

}  // namespace consilium
