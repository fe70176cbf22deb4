// The one place where torch's exceptions become a Status.
//
//   ASSIGN_OR_RETURN(torch::Tensor loss, GuardTorch("computing the loss", [&] { return Loss(...); }));
#pragma once

#include <string_view>
#include <type_traits>
#include <utility>

#include "comm/base/status.h"

namespace consilium::trainer {

namespace internal {
// Called inside a catch block.  Out of memory on host or device: kResourceExhausted with the mend; an error of a
// collective: kRankFailure; everything else: kFailed.  Only the first line of torch's text is kept.
Status StatusOfCurrentException(std::string_view what);

template <typename T>
struct Guarded {
  using Type = StatusOr<T>;
};
template <>
struct Guarded<void> {
  using Type = Status;
};
template <>
struct Guarded<Status> {
  using Type = Status;
};
template <typename T>
struct Guarded<StatusOr<T>> {
  using Type = StatusOr<T>;
};
}  // namespace internal

// Runs f.  Its value T comes back as StatusOr<T>, void as Status; a Status or StatusOr as it is.  `what` says what we
// were doing.
template <typename F>
typename internal::Guarded<std::decay_t<std::invoke_result_t<F>>>::Type GuardTorch(std::string_view what, F&& f) {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
      std::forward<F>(f)();
      return Status();
    } else {
      return std::forward<F>(f)();
    }
  } catch (...) {
    return internal::StatusOfCurrentException(what);
  }
}

}  // namespace consilium::trainer
