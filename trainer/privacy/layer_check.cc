#include "trainer/privacy/layer_check.h"

#include <string>

#include "trainer/models/layer_traits.h"

namespace consilium::trainer {
namespace {

template <typename... Layers>
bool IsOneOf(const torch::nn::Module& module) {
  return ((module.as<Layers>() != nullptr) || ...);
}

// Instance norm over a batch's running statistics is batch norm by another name.
template <typename... Layers>
bool TracksStatistics(const torch::nn::Module& module) {
  const auto tracks = [](const auto* layer) { return layer != nullptr && layer->options.track_running_stats(); };
  return (tracks(module.as<Layers>()) || ...);
}

using namespace torch::nn;  // NOLINT: a list of its layers follows

bool MixesSamples(const Module& module) {
  return IsOneOf<BatchNorm1dImpl, BatchNorm2dImpl, BatchNorm3dImpl>(module) ||
         TracksStatistics<InstanceNorm1dImpl, InstanceNorm2dImpl, InstanceNorm3dImpl>(module);
}

bool DoesKeepSamplesApart(const Module& module) {
  return dynamic_cast<const KeepsSamplesApart*>(&module) != nullptr ||
         IsOneOf<LinearImpl, BilinearImpl, EmbeddingImpl, Conv1dImpl, Conv2dImpl, Conv3dImpl, ConvTranspose1dImpl,
                 ConvTranspose2dImpl, ConvTranspose3dImpl, LayerNormImpl, GroupNormImpl, InstanceNorm1dImpl,
                 InstanceNorm2dImpl, InstanceNorm3dImpl, PReLUImpl>(module);
}

bool HasOwnTensors(const Module& module) {
  return !module.named_parameters(/*recurse=*/false).is_empty() || !module.named_buffers(/*recurse=*/false).is_empty();
}

}  // namespace

Status CheckSamplesStayApart(const Module& model) {
  for (const auto& item : model.named_modules(/*name_prefix=*/"", /*include_self=*/true)) {
    const Module& module = *item.value();
    const std::string name = item.key().empty() ? "the network itself" : "layer " + item.key();
    if (MixesSamples(module))
      return InvalidArgument(name, " (", module.name(),
                             ") mixes the samples of a batch, so no record's gradient can be bounded; use group or "
                             "instance normalisation without running statistics");
    if (HasOwnTensors(module) && !DoesKeepSamplesApart(module))
      return InvalidArgument(name, " (", module.name(),
                             ") is not known to keep the samples of a batch apart; differential privacy for records "
                             "takes linear, convolution, embedding, layer, group and instance norm layers");
  }
  return Status();
}

}  // namespace consilium::trainer
