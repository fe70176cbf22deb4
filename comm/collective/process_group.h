// Building a c10d process group: the part that differs between LibTorch's generations.  process_group.cc is common; one
// of process_group_libtorch1.cc and process_group_libtorch2.cc is compiled.
//
// Everything here throws what c10d throws; the callers turn it into a Status (exception_guard.h).
#pragma once

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>
#include <functional>
#include <string>

#include "comm/collective/communicator.h"

namespace consilium::collective {

enum class Backend { kGloo, kNccl };
std::string BackendName(Backend backend);  // "gloo", "nccl"

// Compiled in?
bool HasBackend(Backend backend);
// Of the GPU that this process would use, "" without CUDA: two ranks with the same one cannot both use NCCL.
std::string GpuIdentity(int device_index);

struct GroupOptions {
  Backend backend = Backend::kGloo;
  Place place;
  std::string interface;              // gloo: the network interface to listen on
  std::chrono::milliseconds timeout;  // of one operation
};

struct Group {
  c10::intrusive_ptr<c10d::ProcessGroup> process_group;
  // Breaks the connections to the peers, so that their operations end now; thread-safe.  One in flight here ends at its
  // timeout at the latest.
  std::function<void()> abort;
};

Group MakeGroup(const c10::intrusive_ptr<c10d::Store>& store, const GroupOptions& options);

namespace internal {
// By generation; each is there only when its backend is compiled in.
Group MakeGloo(const c10::intrusive_ptr<c10d::Store>& store, const GroupOptions& options);
Group MakeNccl(const c10::intrusive_ptr<c10d::Store>& store, const GroupOptions& options);
}  // namespace internal

}  // namespace consilium::collective
