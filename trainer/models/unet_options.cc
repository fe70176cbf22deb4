#include "trainer/models/unet_options.h"

#include <algorithm>

namespace consilium::trainer {
namespace {

using Sizes = std::vector<std::int64_t>;

constexpr std::int64_t kFeaturesLimit = 1 << 16;

}  // namespace

Status CheckOptions(const UNetOptions& options) {
  if (options.channels_in < 1) return InvalidArgument("a U-Net needs at least 1 channel, not ", options.channels_in);
  if (options.classes < 2)
    return InvalidArgument("a U-Net needs at least 2 classes (background is one), not ", options.classes);
  for (const std::int64_t features : {options.base_features, options.features_max})
    if (features < 1 || features > kFeaturesLimit)
      return InvalidArgument("model.base_features and model.features_max must be between 1 and ", kFeaturesLimit,
                             ", not ", features);
  if (options.strides.size() < 2)
    return InvalidArgument("model.strides must name at least 2 stages, names ", options.strides.size());
  if (options.kernels.size() != options.strides.size())
    return InvalidArgument("model.kernels names ", options.kernels.size(), " stages, model.strides ",
                           options.strides.size(), ": they must be as many");
  const std::size_t dimension = options.strides[0].size();
  for (std::size_t s = 0; s < options.strides.size(); ++s) {
    const Sizes &stride = options.strides[s], &kernel = options.kernels[s];
    if ((dimension != 2 && dimension != 3) || stride.size() != dimension || kernel.size() != dimension)
      return InvalidArgument("model.strides and model.kernels must have 2 or 3 numbers a stage, the same everywhere");
    if (std::any_of(stride.begin(), stride.end(), [](std::int64_t n) { return n < 1 || n > 16; }))
      return InvalidArgument("model.strides[", s, "] must be between 1 and 16");
    if (std::any_of(kernel.begin(), kernel.end(), [](std::int64_t n) { return n < 1 || n > 31 || n % 2 == 0; }))
      return InvalidArgument("model.kernels[", s, "] must be odd, between 1 and 31");
  }
  if (options.strides[0] != Sizes(dimension, 1))
    return InvalidArgument("model.strides[0] must be 1 on every axis: the first stage works at full resolution");
  return Status();
}

Sizes FeaturesOf(const UNetOptions& options) {
  Sizes features = {std::min(options.base_features, options.features_max)};
  while (features.size() < options.strides.size())
    features.push_back(std::min(2 * features.back(), options.features_max));
  return features;
}

Sizes DivisorOf(const UNetOptions& options) {
  Sizes divisor(options.strides[0].size(), 1);
  for (const Sizes& stride : options.strides)
    for (std::size_t axis = 0; axis < divisor.size(); ++axis) divisor[axis] *= stride[axis];
  return divisor;
}

}  // namespace consilium::trainer
