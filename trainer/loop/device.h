// Which device a rank computes on, and with how many threads.
#pragma once

#include <torch/torch.h>

#include <string>

#include "comm/base/status.h"
#include "comm/wire/job.h"

namespace consilium::trainer {

// "auto" | "cpu" | "cuda" | "cuda:N".  auto and cuda: the GPU number `local_rank`; auto without a GPU: the CPU.
// Errors: InvalidArgument for another word or a GPU that is not there.
StatusOr<torch::Device> SelectDevice(const std::string& name, int local_rank);

// Sets the threads of torch's operations in this process: `threads`, or with 0 this rank's share of the host
// (startup/threads.h).  Returns how many there are now.
int SetThreads(std::int64_t threads, int local_world);

// precision: auto | float32 (no TF32 on GPUs that have it).
void SetPrecision(const wire::TrainSpec& train);

}  // namespace consilium::trainer
