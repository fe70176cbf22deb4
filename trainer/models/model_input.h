// What the data decides about a network's shape.
#pragma once

#include <cstdint>

namespace consilium::trainer {

struct ModelInput {
  std::int64_t channels = 1;
  std::int64_t classes = 2;  // background included
};

}  // namespace consilium::trainer
