#include "comm/collective/exception_guard.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string_view>

namespace consilium::collective {
namespace {

std::string FirstLine(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

bool Contains(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [text](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

// The exceptions' types do not tell: Gloo throws its own from inside libtorch, which hides them, and c10d throws
// c10::Error for sockets and for wrong arguments alike.
Status Classify(std::string_view text, const std::string& what) {
  const std::string line = FirstLine(text);
  if (Contains(text, {"out of memory", "can't allocate memory", "not enough memory"}))
    return ResourceExhausted(what, ": ", line);
  if (Contains(text, {"imed out", "imeout"})) return DeadlineExceeded(what, ": ", line);
  if (Contains(text, {"gloo/", "onnection", "ocket", "NCCL", "roken pipe"})) return RankFailure(what, ": ", line);
  return Failed(what, ": ", line);
}

}  // namespace

Status StatusOfExceptionInFlight(const std::string& what) {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return ResourceExhausted(what, ": out of memory; take a smaller batch or patch");
  } catch (const c10::Error& error) {
    return Classify(error.what_without_backtrace(), what);
  } catch (const std::exception& error) {
    return Classify(error.what(), what);
  } catch (...) {
    return Failed(what, ": an exception without a text");
  }
}

}  // namespace consilium::collective
