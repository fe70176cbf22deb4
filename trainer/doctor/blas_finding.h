// What to say about the BLAS: pure, so that every state of the trap can be shown to it.
#pragma once

#include <optional>

#include "comm/base/findings.h"
#include "trainer/startup/blas.h"

namespace consilium::trainer {

struct BlasFacts {
  BlasLibrary library;
  bool mkl = false;  // LibTorch brings its own
  CpuFeatures cpu;
  BlasCure cure = BlasCure::kNotNeeded;
  int threads = 1;
  double gflops = 0;  // of a 2048x2048 product, now
  // The same without the cure where it was applied, or with it where the user's setting stands in its way.
  std::optional<double> gflops_otherwise;
};

Finding BlasFinding(const BlasFacts& facts);

}  // namespace consilium::trainer
