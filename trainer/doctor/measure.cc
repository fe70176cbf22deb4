#include "trainer/doctor/measure.h"

#include <torch/torch.h>

#include <algorithm>

#include "comm/base/time.h"
#include "comm/collective/process_group.h"

namespace consilium::trainer {
namespace {

template <typename Work>
double SecondsOf(const Work& work) {
  const Instant begin = SystemClock().Now();
  work();
  return Seconds(SystemClock().Now() - begin);
}

// The first run also pays for memory and for the choice of kernels, and is not counted.
template <typename Work>
double BestSeconds(const Work& work) {
  torch::NoGradGuard no_grad;
  if (SecondsOf(work) > 5) return SecondsOf(work);
  double best = SecondsOf(work);
  for (int i = 0; i < 2 && best < 1; ++i) best = std::min(best, SecondsOf(work));
  return best;
}

}  // namespace

double MatmulGflops() {
  constexpr std::int64_t kSize = 2048;
  const torch::Tensor a = torch::rand({kSize, kSize}), b = torch::rand({kSize, kSize});  // [2048, 2048] f32
  torch::Tensor c = torch::empty({kSize, kSize});
  return 2.0 * kSize * kSize * kSize / BestSeconds([&] { torch::mm_out(c, a, b); }) * 1e-9;
}

double Conv3dGflops() {
  constexpr std::int64_t kChannels = 32, kVoxels = 40 * 56 * 40, kTaps = 27;
  const torch::Tensor images = torch::rand({1, kChannels, 40, 56, 40});        // [B, C, D, H, W] f32
  const torch::Tensor weights = torch::rand({kChannels, kChannels, 3, 3, 3});  // [out, in, 3, 3, 3] f32
  const auto options = torch::nn::functional::Conv3dFuncOptions().padding(1);
  const double seconds = BestSeconds([&] { torch::nn::functional::conv3d(images, weights, options); });
  return 2.0 * kChannels * kChannels * kVoxels * kTaps / seconds * 1e-9;
}

TorchFacts ThisTorch() {
  TorchFacts facts;
  facts.version = TORCH_VERSION;
  facts.cuda_built = at::hasCUDA();
  facts.gpus = static_cast<int>(torch::cuda::device_count());
  facts.onednn = at::hasMKLDNN();
  facts.mkl = at::hasMKL();
  facts.gloo = collective::HasBackend(collective::Backend::kGloo);
  facts.nccl = collective::HasBackend(collective::Backend::kNccl);
  facts.threads = at::get_num_threads();
  return facts;
}

void SetTorchThreads(int threads) { at::set_num_threads(std::max(1, threads)); }

}  // namespace consilium::trainer
