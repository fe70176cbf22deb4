#include "trainer/privacy/canaries.h"

namespace consilium::trainer {
namespace {

constexpr std::int64_t kBlock = 1000;  // a canary's backward pass costs as much as its block is long
constexpr double kBeyondTheClip = 3;   // clipped on the way: that is audited too

}  // namespace

Canaries::Canaries(const CanaryOptions& options, const SecretBytes& coins)
    : options_(options), scores_(static_cast<std::size_t>(options.count)) {
  for (std::int64_t begin = 0; begin < options.count; begin += kBlock)
    blocks_.push_back(torch::zeros({std::min(kBlock, options.count - begin)}, torch::requires_grad()));
  dp::NoiseSource source(coins, "canaries");
  for (dp::CanaryScore& canary : scores_) canary.included = source.Uniform() < 0.5;
}

Status Canaries::AddTo(PrivateGradient& gradient) {
  for (std::size_t i = 0; i < scores_.size(); ++i) {
    if (!scores_[i].included) continue;
    const auto at = static_cast<std::int64_t>(i);
    const torch::Tensor& block = blocks_[i / static_cast<std::size_t>(kBlock)];
    RETURN_IF_ERROR(gradient.Add(block[at % kBlock] * (kBeyondTheClip * options_.clip)));
  }
  return Status();
}

void Canaries::Observe() {
  for (std::size_t block = 0, at = 0; block < blocks_.size(); ++block) {
    const torch::Tensor released = blocks_[block].grad();
    const auto values = released.accessor<float, 1>();
    for (std::int64_t i = 0; i < values.size(0); ++i) scores_[at++].score += values[i];
  }
}

}  // namespace consilium::trainer
