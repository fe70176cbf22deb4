#include "comm/collective/process_group.h"

#include <c10/util/Exception.h>

#ifdef USE_C10D_NCCL
#include <ATen/cuda/CUDAContext.h>

#include "comm/base/bytes.h"
#endif

namespace consilium::collective {

std::string BackendName(Backend backend) { return backend == Backend::kGloo ? "gloo" : "nccl"; }

bool HasBackend(Backend backend) {
  switch (backend) {
    case Backend::kGloo:
#ifdef USE_C10D_GLOO
      return true;
#else
      return false;
#endif
    case Backend::kNccl:
#ifdef USE_C10D_NCCL
      return true;
#else
      return false;
#endif
  }
  return false;
}

std::string GpuIdentity([[maybe_unused]] int device_index) {
#ifdef USE_C10D_NCCL
  const auto& uuid = at::cuda::getDeviceProperties(device_index)->uuid;
  return ToHex(AsBytes(std::string_view(uuid.bytes, sizeof uuid.bytes)));
#else
  return "";
#endif
}

Group MakeGroup([[maybe_unused]] const c10::intrusive_ptr<c10d::Store>& store, const GroupOptions& options) {
#ifdef USE_C10D_GLOO
  if (options.backend == Backend::kGloo) return internal::MakeGloo(store, options);
#endif
#ifdef USE_C10D_NCCL
  if (options.backend == Backend::kNccl) return internal::MakeNccl(store, options);
#endif
  TORCH_CHECK(false, "the backend ", BackendName(options.backend), " is not in this build");
}

}  // namespace consilium::collective
