// From the job file's `model:` to a network with its starting weights.
#pragma once

#include <memory>

#include "comm/wire/job.h"
#include "trainer/models/model_input.h"
#include "trainer/models/segmentation_model.h"

namespace consilium::trainer {

// Fills in what the job leaves open: strides and kernels follow from the patch by nnU-Net's rule (isotropic spacing).
// Errors: kInvalidArgument (an unknown architecture, no patch, a patch that the strides do not divide), with the key.
StatusOr<wire::ModelSpec> ResolveModel(wire::ModelSpec spec);

// On the CPU, in training mode.  Equal arguments give equal weights, bit for bit.
StatusOr<std::shared_ptr<SegmentationModel>> MakeModel(const wire::ModelSpec& spec, const ModelInput& input,
                                                       std::uint64_t seed);

}  // namespace consilium::trainer
