#include "trainer/loop/batch_loader.h"

#include <algorithm>

namespace consilium::trainer {

Batch SampleBatch(const datasets::PatchSampler& sampler, const LoaderOptions& options, std::int64_t step,
                  const Share& share) {
  const auto memory = torch::TensorOptions().pinned_memory(options.memory == LoaderOptions::Memory::kPinned &&
                                                           torch::cuda::is_available());
  std::vector<std::int64_t> shape = {share.size(), sampler.channels()};
  shape.insert(shape.end(), options.patch_size.begin(), options.patch_size.end());
  Batch batch;
  batch.image = torch::empty(shape, memory.dtype(torch::kFloat32));
  shape.erase(shape.begin() + 1);
  batch.target = torch::empty(shape, memory.dtype(torch::kInt64));

  const auto voxels = static_cast<std::size_t>(sampler.patch_voxels());
  const std::size_t image_size = static_cast<std::size_t>(sampler.channels()) * voxels;
  std::vector<std::int16_t> labels(voxels);
  for (std::int64_t i = 0; i < share.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    sampler.Sample(step, share.begin + i, {batch.image.data_ptr<float>() + at * image_size, image_size}, labels);
    std::copy(labels.begin(), labels.end(), batch.target.data_ptr<std::int64_t>() + at * voxels);
  }
  return batch;
}

Batch SampleRecord(const datasets::PatchSampler& sampler, const std::vector<std::int64_t>& patch_size,
                   std::int64_t step, std::int64_t case_index) {
  std::vector<std::int64_t> shape = {1, sampler.channels()};
  shape.insert(shape.end(), patch_size.begin(), patch_size.end());
  Batch record;
  record.image = torch::empty(shape, torch::kFloat32);
  shape.erase(shape.begin() + 1);
  record.target = torch::empty(shape, torch::kInt64);
  std::vector<std::int16_t> labels(static_cast<std::size_t>(sampler.patch_voxels()));
  sampler.SampleCase(step, case_index, {record.image.data_ptr<float>(), static_cast<std::size_t>(record.image.numel())},
                     labels);
  std::copy(labels.begin(), labels.end(), record.target.data_ptr<std::int64_t>());
  return record;
}

BatchLoader::BatchLoader(const datasets::PatchSampler& sampler, LoaderOptions options)
    : sampler_(sampler),
      options_(std::move(options)),
      batches_((options_.end_step - options_.first_step) * static_cast<std::int64_t>(options_.shares.size())),
      slots_(static_cast<std::size_t>(std::max(options_.threads, 1)) + 1) {
  for (int i = 0; i < std::max(options_.threads, 1); ++i)
    threads_.emplace_back([this](std::stop_token stop) { Produce(std::move(stop)); });
}

BatchLoader::~BatchLoader() {
  for (std::jthread& thread : threads_) thread.request_stop();
}

void BatchLoader::Produce(std::stop_token stop) {
  const auto slots = static_cast<std::int64_t>(slots_.size());
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [&] { return next_produced_ < next_taken_ + slots; })) {
    if (next_produced_ == batches_) return;
    const std::int64_t number = next_produced_++;
    lock.unlock();
    const auto shares = static_cast<std::int64_t>(options_.shares.size());
    Slot slot;
    try {
      slot.batch = SampleBatch(sampler_, options_, options_.first_step + number / shares,
                               options_.shares[static_cast<std::size_t>(number % shares)]);
    } catch (...) {
      slot.failure = std::current_exception();
    }
    lock.lock();
    slots_[static_cast<std::size_t>(number % slots)] = std::move(slot);
    changed_.notify_all();
  }
}

Batch BatchLoader::Next() {
  std::unique_lock lock(mutex_);
  TORCH_CHECK(next_taken_ < batches_, "the loader has no batch left");
  Slot& slot = slots_[static_cast<std::size_t>(next_taken_) % slots_.size()];
  changed_.wait(lock, [&] { return slot.ready(); });
  const Slot taken = std::exchange(slot, Slot());
  ++next_taken_;
  changed_.notify_all();
  if (taken.failure) std::rethrow_exception(taken.failure);
  return *taken.batch;
}

}  // namespace consilium::trainer
