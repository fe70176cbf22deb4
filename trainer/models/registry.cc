#include "trainer/models/registry.h"

#include <algorithm>

#include "comm/base/suggest.h"
#include "datasets/planner/topology.h"
#include "trainer/models/plain_conv_unet.h"
#include "trainer/models/residual_encoder_unet.h"
#include "trainer/models/torch_guard.h"

namespace consilium::trainer {
namespace {

constexpr char kPlainUNet[] = "plain_unet", kResidualUNet[] = "resenc_unet";

Status CheckPatch(const wire::ModelSpec& spec) {
  for (std::size_t axis = 0; axis < spec.patch_size.size(); ++axis) {
    std::int64_t divisor = 1;
    for (const std::vector<std::int64_t>& stride : spec.strides) divisor *= stride[axis];
    if (spec.patch_size[axis] % divisor != 0)
      return InvalidArgument("model.patch_size[", axis, "] is ", spec.patch_size[axis],
                             ", which the strides do not divide: expected a multiple of ", divisor);
  }
  return Status();
}

UNetOptions OptionsOf(const wire::ModelSpec& spec, const ModelInput& input) {
  return {.channels_in = input.channels,
          .classes = input.classes,
          .strides = spec.strides,
          .kernels = spec.kernels,
          .base_features = spec.base_features,
          .features_max = spec.features_max,
          .deep_supervision = spec.deep_supervision};
}

}  // namespace

StatusOr<wire::ModelSpec> ResolveModel(wire::ModelSpec spec) {
  const std::vector<std::string> known = {kPlainUNet, kResidualUNet};
  if (std::find(known.begin(), known.end(), spec.architecture) == known.end())
    return InvalidArgument("model.architecture '", spec.architecture, "' is not known",
                           Suggestion(spec.architecture, known));
  if (spec.patch_size.size() != 2 && spec.patch_size.size() != 3)
    return InvalidArgument("model.patch_size must have 2 or 3 numbers, (z,) y, x; has ", spec.patch_size.size());
  for (const std::int64_t edge : spec.patch_size)
    if (edge < 1) return InvalidArgument("model.patch_size must be positive, not ", edge);

  if (spec.strides.empty() || spec.kernels.empty()) {
    const std::vector<double> isotropic(spec.patch_size.size(), 1.0);
    ASSIGN_OR_RETURN(const datasets::Topology topology, datasets::PlanTopology(isotropic, spec.patch_size));
    if (spec.strides.empty()) spec.strides = topology.strides;
    // Strides of one's own: a kernel of 3 everywhere, as the rule gives for isotropic voxels.
    if (spec.kernels.empty())
      spec.kernels.assign(spec.strides.size(), std::vector<std::int64_t>(spec.patch_size.size(), 3));
  }
  if (spec.strides.size() < 2)
    return InvalidArgument("model.patch_size is too small to halve even once (an axis needs at least 8 voxels)");
  RETURN_IF_ERROR(CheckOptions(OptionsOf(spec, {})));
  if (spec.strides[0].size() != spec.patch_size.size())
    return InvalidArgument("model.strides has ", spec.strides[0].size(), " axes, model.patch_size ",
                           spec.patch_size.size());
  RETURN_IF_ERROR(CheckPatch(spec));
  return spec;
}

StatusOr<std::shared_ptr<SegmentationModel>> MakeModel(const wire::ModelSpec& spec, const ModelInput& input,
                                                       std::uint64_t seed) {
  ASSIGN_OR_RETURN(const wire::ModelSpec resolved, ResolveModel(spec));
  const UNetOptions options = OptionsOf(resolved, input);
  RETURN_IF_ERROR(CheckOptions(options));
  return GuardTorch("building the network", [&]() -> std::shared_ptr<SegmentationModel> {
    if (resolved.architecture == kResidualUNet) return std::make_shared<ResidualEncoderUNetImpl>(options, seed);
    return std::make_shared<PlainConvUNetImpl>(options, seed);
  });
}

}  // namespace consilium::trainer
