#include "trainer/loop/device.h"

#include <ATen/Parallel.h>

#include <charconv>

#include "trainer/startup/threads.h"

namespace consilium::trainer {
StatusOr<torch::Device> SelectDevice(const std::string& name, int local_rank) {
  const int gpus = torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  if (name == "cpu" || (name == "auto" && gpus == 0)) return torch::Device(torch::kCPU);
  int index = local_rank;
  if (name.starts_with("cuda:")) {
    const char* end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data() + 5, end, index);
    if (error != std::errc() || rest != end) index = -1;
  } else if (name != "auto" && name != "cuda") {
    index = -1;
  }
  if (index < 0) return InvalidArgument("device must be auto, cpu, cuda or cuda:N, is '", name, "'");
  if (index >= gpus)
    return InvalidArgument("device ", name, ": GPU ", index, " is not there (this process sees ", gpus,
                           "); mend: fewer ranks a host, or --device cpu");
  return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
}

int SetThreads(std::int64_t threads, int local_world) {
  const int wanted = threads > 0 ? static_cast<int>(threads) : DefaultThreads(local_world);
  if (at::get_num_threads() != wanted) at::set_num_threads(wanted);
  return at::get_num_threads();
}

void SetPrecision(const wire::TrainSpec& train) {
  const bool allow_tf32 = train.precision == "auto";
  at::globalContext().setAllowTF32CuDNN(allow_tf32);
  at::globalContext().setAllowTF32CuBLAS(allow_tf32);
  at::globalContext().setBenchmarkCuDNN(true);
}

}  // namespace consilium::trainer
