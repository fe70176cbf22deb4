// LibTorch 1.13: a backend is itself a ProcessGroup.
#include <torch/version.h>

#if TORCH_VERSION_MAJOR != 1
#error "This file is for LibTorch 1.13; CMake picks process_group_libtorch2.cc for 2.x."
#endif

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#ifdef USE_C10D_NCCL
#include <c10/cuda/CUDAFunctions.h>

#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <cstdlib>

#include "comm/collective/process_group.h"

namespace consilium::collective::internal {

#ifdef USE_C10D_GLOO
namespace {

class BreakableGloo final : public c10d::ProcessGroupGloo {
 public:
  using ProcessGroupGloo::ProcessGroupGloo;
  void Break() {
    for (auto& context : contexts_) context->closeConnections();
  }
};

}  // namespace

Group MakeGloo(const c10::intrusive_ptr<c10d::Store>& store, const GroupOptions& options) {
  auto gloo = BreakableGloo::Options::create(options.timeout);
  gloo->devices.push_back(BreakableGloo::createDeviceForInterface(options.interface));
  auto group = c10::make_intrusive<BreakableGloo>(store, options.place.rank, options.place.world, gloo);
  return {group, [group] { group->Break(); }};
}
#endif

#ifdef USE_C10D_NCCL
Group MakeNccl(const c10::intrusive_ptr<c10d::Store>& store, const GroupOptions& options) {
  // A hang then ends in an exception at the timeout instead of the whole process being torn down without a word.
  ::setenv("NCCL_BLOCKING_WAIT", "1", 0);
  c10::cuda::set_device(static_cast<c10::DeviceIndex>(options.place.local_rank));
  auto nccl = c10d::ProcessGroupNCCL::Options::create();
  nccl->timeout = options.timeout;
  auto group = c10::make_intrusive<c10d::ProcessGroupNCCL>(store, options.place.rank, options.place.world, nccl);
  return {group, [] {}};  // 1.13 has no public abort; the communicators are aborted when the group is destroyed
}
#endif

}  // namespace consilium::collective::internal
