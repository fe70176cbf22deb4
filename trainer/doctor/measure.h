// How fast this machine computes, through LibTorch as training does.
#pragma once

#include <string>

namespace consilium::trainer {

// A 2048x2048 f32 matrix product: 2 * 2048^3 = 17.2 GFLOP. The best of three, or one when it takes over a second.
// Goes through the BLAS. GFLOP/s, on as many threads as are set.
double MatmulGflops();

// The core of a 3D U-Net: 3x3x3 convolution of 32 into 32 channels over 40x56x40 voxels, f32: 4.95 GFLOP. Goes through
// oneDNN where LibTorch has it. GFLOP/s.
double Conv3dGflops();

// What LibTorch is and was built with.
struct TorchFacts {
  std::string version;  // "1.13.1"
  bool cuda_built = false;
  int gpus = 0;
  bool onednn = false;
  bool mkl = false;  // its BLAS is inside
  bool gloo = false, nccl = false;
  int threads = 0;  // before anybody set them
};
TorchFacts ThisTorch();

// LibTorch's threads inside one operation; at least 1.
void SetTorchThreads(int threads);

}  // namespace consilium::trainer
