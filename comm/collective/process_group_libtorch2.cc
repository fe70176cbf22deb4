// LibTorch 2.x: a ProcessGroup dispatches by device to Backends.
#include <torch/version.h>

#if TORCH_VERSION_MAJOR < 2
#error "This file is for LibTorch 2.x; CMake picks process_group_libtorch1.cc for 1.13."
#endif

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#ifdef USE_C10D_NCCL
#include <c10/cuda/CUDAFunctions.h>

#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <cstdlib>
#include <type_traits>

#include "comm/collective/process_group.h"

namespace consilium::collective::internal {
namespace {

using c10d::ProcessGroup;

// Up to 2.5 the dispatcher takes Options, since 2.6 it does not.  A template, so that the arm that does not exist in
// this LibTorch is not compiled.
template <typename PG>
c10::intrusive_ptr<PG> MakeDispatcher(const c10::intrusive_ptr<c10d::Store>& store, const GroupOptions& options) {
  if constexpr (std::is_constructible_v<PG, const c10::intrusive_ptr<c10d::Store>&, int, int>) {
    return c10::make_intrusive<PG>(store, options.place.rank, options.place.world);
  } else {
    return c10::make_intrusive<PG>(store, options.place.rank, options.place.world,
                                   PG::Options::create(BackendName(options.backend), options.timeout));
  }
}

#ifdef USE_C10D_GLOO
class BreakableGloo final : public c10d::ProcessGroupGloo {
 public:
  using ProcessGroupGloo::ProcessGroupGloo;
  void Break() {
    for (auto& context : contexts_) context->closeConnections();
  }
};
#endif

#ifdef USE_C10D_NCCL
// Its name and arguments moved between minor versions.
template <typename Nccl>
void AbortNccl(Nccl& nccl) {
  if constexpr (requires { nccl.abort(); }) {
    nccl.abort();
  } else if constexpr (requires { nccl.shutdown(); }) {
    nccl.shutdown();
  }
}
#endif

}  // namespace

#ifdef USE_C10D_GLOO
Group MakeGloo(const c10::intrusive_ptr<c10d::Store>& store, const GroupOptions& options) {
  auto gloo = BreakableGloo::Options::create(options.timeout);
  gloo->devices.push_back(BreakableGloo::createDeviceForInterface(options.interface));
  auto backend = c10::make_intrusive<BreakableGloo>(store, options.place.rank, options.place.world, gloo);
  auto group = MakeDispatcher<ProcessGroup>(store, options);
  group->setDefaultBackend(ProcessGroup::BackendType::GLOO);
  group->setBackend(c10::DeviceType::CPU, ProcessGroup::BackendType::GLOO, backend);
  group->setBackend(c10::DeviceType::CUDA, ProcessGroup::BackendType::GLOO, backend);
  return {group, [backend] { backend->Break(); }};
}
#endif

#ifdef USE_C10D_NCCL
Group MakeNccl(const c10::intrusive_ptr<c10d::Store>& store, const GroupOptions& options) {
  // A hang then ends in an exception at the timeout instead of the whole process being torn down without a word.
  ::setenv("TORCH_NCCL_BLOCKING_WAIT", "1", 0);
  c10::cuda::set_device(static_cast<c10::DeviceIndex>(options.place.local_rank));
  auto nccl = c10d::ProcessGroupNCCL::Options::create();
  nccl->timeout = options.timeout;
  auto backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(store, options.place.rank, options.place.world, nccl);
  auto group = MakeDispatcher<ProcessGroup>(store, options);
  group->setDefaultBackend(ProcessGroup::BackendType::NCCL);
  group->setBackend(c10::DeviceType::CUDA, ProcessGroup::BackendType::NCCL, backend);
  return {group, [backend] { AbortNccl(*backend); }};
}
#endif

}  // namespace consilium::collective::internal
