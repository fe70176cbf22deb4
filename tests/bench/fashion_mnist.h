// Fashion-MNIST (H. Xiao, K. Rasul, R. Vollgraf, 2017; MIT licence): 60000 training and 10000 test images of 28 x 28,
// ten kinds of clothing.  Debian's package dataset-fashion-mnist puts it into kFashionMnistFolder.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <string>

#include "comm/base/status.h"

namespace consilium::trainer {

inline constexpr char kFashionMnistFolder[] = "/usr/share/datasets/fashion-mnist";

struct Images {
  torch::Tensor pixels;  // [n, 1, 28, 28] f32, about -2 .. 2
  torch::Tensor labels;  // [n] i64, 0 .. 9
  std::int64_t size() const { return labels.size(0); }
};

// The first `count` images of `part` ("train" or "t10k").  Errors: NotFound, InvalidArgument for files that are not
// IDX, or hold fewer.
StatusOr<Images> ReadFashionMnist(const std::filesystem::path& folder, const std::string& part, std::int64_t count);

}  // namespace consilium::trainer
