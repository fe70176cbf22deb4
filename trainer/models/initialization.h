// Starting weights that depend on the seed and on each tensor's name alone: not on the order of modules, on threads, or
// on the machine's vector units (torch's own generator rounds differently with and without AVX).
#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace consilium::trainer {

// He et al. (ICCV 2015) for LeakyReLU with slope a = 0.01: every parameter with 2 or more dimensions is drawn from
// N(0, 2 / ((1 + a^2) fan)), fan = size(1) * kernel volume.  For a transposed convolution, [in, out, k...], that is
// out x k: upstream's kaiming_normal_ reads its shape so.  Parameters with fewer dimensions stay as they are.
void InitializeHeNormal(torch::nn::Module& module, std::uint64_t seed);

}  // namespace consilium::trainer
