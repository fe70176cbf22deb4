#include "trainer/models/torch_guard.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

namespace consilium::trainer::internal {
namespace {

bool Contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

Status OutOfMemory(std::string_view what, const std::string& detail) {
  return ResourceExhausted(what, ": out of memory (", detail,
                           "); mend: a smaller train.batch_size, model.patch_size or model.base_features");
}

Status StatusOfText(std::string_view what, std::string text) {
  text = text.substr(0, text.find('\n'));
  // CPU: "... DefaultCPUAllocator: can't allocate memory: you tried to allocate N bytes ..."; CUDA: "CUDA out of
  // memory".
  if (Contains(text, "out of memory") || Contains(text, "can't allocate memory") || Contains(text, "not enough memory"))
    return OutOfMemory(what, text);
  // Gloo: "[transport/tcp/pair.cc:...] Connection closed by peer", "Timed out waiting"; NCCL: "NCCL error ...".
  if (Contains(text, "Connection closed by peer") || Contains(text, "Connection reset by peer") ||
      Contains(text, "NCCL error"))
    return RankFailure(what, ": ", text);
  return Failed(what, ": ", text);
}

}  // namespace

Status StatusOfCurrentException(std::string_view what) {
  try {
    throw;
  } catch (const c10::Error& error) {
    return StatusOfText(what, error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return OutOfMemory(what, "host memory");
  } catch (const std::exception& error) {
    return StatusOfText(what, error.what());
  } catch (...) {
    return Failed(what, ": an exception of unknown type");
  }
}

}  // namespace consilium::trainer::internal
