#include "trainer/models/initialization.h"

#include <cmath>

#include "comm/base/digest.h"
#include "comm/base/rng.h"

namespace consilium::trainer {
namespace {

constexpr double kLeakySlope = 0.01;

// The first 8 bytes of the name's SHA-256.
std::uint64_t StreamOfName(const std::string& name) { return ByteReader(Sha256Of(name).bytes).Get<std::uint64_t>(); }

}  // namespace

void InitializeHeNormal(torch::nn::Module& module, std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  for (const auto& item : module.named_parameters()) {
    if (item.value().dim() < 2) continue;
    const double fan = static_cast<double>(item.value()[0].numel());
    const double deviation = std::sqrt(2.0 / ((1.0 + kLeakySlope * kLeakySlope) * fan));
    torch::Tensor values = torch::empty(item.value().sizes(), torch::kFloat32);
    Rng rng(seed, StreamOfName(item.key()));
    for (float *at = values.data_ptr<float>(), *end = at + values.numel(); at != end; ++at)
      *at = static_cast<float>(deviation * rng.Normal());
    item.value().copy_(values);
  }
}

}  // namespace consilium::trainer
