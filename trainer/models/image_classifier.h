// A small convolutional network that says which class an image is of.  For benchmarks of differential privacy: few
// parameters, since noise grows with their number, and group normalisation, since batch normalisation mixes records.
//
//   [conv 3x3, stride 2 - GroupNorm - LeakyReLU] x features.size(), mean over the image, linear
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

namespace consilium::trainer {

struct ImageClassifierOptions {
  std::int64_t channels = 1;
  std::int64_t classes = 2;
  std::vector<std::int64_t> features = {16, 16, 32};  // of each layer; multiples of groups
  std::int64_t groups = 4;
};

// Strand-bound, as torch modules are.
class ImageClassifierImpl final : public torch::nn::Module {
 public:
  // Weights are He-normal from `seed` (initialization.h), in f32 on the CPU.
  ImageClassifierImpl(const ImageClassifierOptions& options, std::uint64_t seed);

  // [B, channels, y, x] -> logits [B, classes].  Throws c10::Error.
  torch::Tensor forward(torch::Tensor x);

 private:
  torch::nn::Sequential body_;
  torch::nn::Linear head_;
};
TORCH_MODULE(ImageClassifier);

}  // namespace consilium::trainer
