// A module's weights to and from the flat vector that is averaged, digested, sent and stored.
#pragma once

#include <torch/torch.h>

#include "comm/tensor/parameter_vector.h"

namespace consilium::trainer {

// Names, types and shapes of all f32 parameters and f32 buffers.  Everything else (f16, integers) stays out: the models
// here keep none.
tensor::Schema SchemaOf(const torch::nn::Module& module);

// The values, in the schema's order, copied to the CPU.
tensor::ParameterVector ExportParameters(const torch::nn::Module& module);

// Copies values into the module, on whatever device it is; the optimizer's view of the parameters stays valid.  Nothing
// is changed unless everything fits.  Upstream's aliases ("...all_modules.0.weight" for "...conv.weight",
// "decoder.encoder..." for "encoder...") are accepted: ignored when equal to the tensor itself, taken for it when it is
// absent.  Errors: InvalidArgument that names the tensor (missing, unknown, another shape, an alias that differs).
Status ImportParameters(const tensor::ParameterVector& parameters, torch::nn::Module& module);

// "decoder.encoder.stages.0.0.convs.0.all_modules.1.bias" -> "encoder.stages.0.0.convs.0.norm.bias".
std::string CanonicalName(const std::string& name);

}  // namespace consilium::trainer
