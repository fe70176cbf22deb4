// A random order that everybody who knows the seed finds alike, and nobody who does not can foresee.
#pragma once

#include <cstddef>
#include <vector>

#include "comm/base/digest.h"

namespace consilium::secagg {

// 0 .. count - 1, shuffled (Fisher-Yates on AES-256 in counter mode, keyed by the seed); every order is equally likely.
std::vector<std::size_t> RandomOrder(std::size_t count, const Digest& seed);

}  // namespace consilium::secagg
