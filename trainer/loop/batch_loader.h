// Fills the batches of the steps to come on background threads while the network computes.
//
// Samples are pure functions of (step, index), so what comes out does not depend on the threads or their timing.
#pragma once

#include <torch/torch.h>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "datasets/sampling/patch_sampler.h"
#include "trainer/loop/batch_split.h"

namespace consilium::trainer {

struct Batch {
  torch::Tensor image;   // [n, C, (z,) y, x] f32, on the CPU
  torch::Tensor target;  // [n, (z,) y, x] i64, on the CPU
};

struct LoaderOptions {
  std::vector<std::int64_t> patch_size;
  std::vector<Share> shares;    // this rank's, one batch each a step
  std::int64_t first_step = 0;  // steps [first_step, end_step)
  std::int64_t end_step = 0;
  int threads = 1;
  enum class Memory { kPageable, kPinned } memory = Memory::kPageable;  // pinned: copied to CUDA without a wait
};

// One sample block, on the calling thread.
Batch SampleBatch(const datasets::PatchSampler& sampler, const LoaderOptions& options, std::int64_t step,
                  const Share& share);

// One patch of one case (PatchSampler::SampleCase) as a batch of one, on the calling thread.
Batch SampleRecord(const datasets::PatchSampler& sampler, const std::vector<std::int64_t>& patch_size,
                   std::int64_t step, std::int64_t case_index);

// Next() from one thread.
class BatchLoader {
 public:
  // `sampler` must outlive the loader.
  BatchLoader(const datasets::PatchSampler& sampler, LoaderOptions options);
  ~BatchLoader();  // stops after the samples in hand

  // The batches of first_step's shares in order, then those of the next step, and so on.  Blocks until it is there.
  // Rethrows what its production threw; must not be called more often than there are batches.
  Batch Next();

 private:
  struct Slot {
    std::optional<Batch> batch;
    std::exception_ptr failure;
    bool ready() const { return batch.has_value() || failure != nullptr; }
  };
  void Produce(std::stop_token stop);

  const datasets::PatchSampler& sampler_;
  const LoaderOptions options_;
  const std::int64_t batches_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Slot> slots_;         // batch number b waits in slot b % size: what bounds the memory
  std::int64_t next_produced_ = 0;  // number of the batch that nobody has begun
  std::int64_t next_taken_ = 0;
  std::vector<std::jthread> threads_;  // last: joined before anything they use goes
};

}  // namespace consilium::trainer
