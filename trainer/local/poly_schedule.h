// nnU-Net's learning rate: lr0 * (1 - epoch / epochs)^0.9, set at the start of each epoch.
#pragma once

#include <cmath>
#include <cstdint>

namespace consilium::trainer {

// 0 <= epoch < epochs.
inline double PolyLearningRate(double initial, std::int64_t epoch, std::int64_t epochs) {
  return initial * std::pow(1.0 - static_cast<double>(epoch) / static_cast<double>(epochs), 0.9);
}

}  // namespace consilium::trainer
