// Stands in for the header of this name that Debian's libtorch-dev 1.13.1 leaves out and c10d/reducer.hpp includes.
// Reducer keeps a shared_ptr and an atomic pointer of the context and never looks inside, so the layout cannot differ.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace torch::distributed::autograd {

class DistAutogradContext {
 public:
  using GradCallback = std::function<bool(at::Tensor&)>;
};
using ContextPtr = std::shared_ptr<DistAutogradContext>;

}  // namespace torch::distributed::autograd
