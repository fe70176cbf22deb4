// Model files tile by tile: checked, digested and folded with memory for one tile a site, whatever the model's size.
#pragma once

#include <filesystem>
#include <vector>

#include "comm/tensor/safetensors.h"

namespace consilium::coordinator {

// What a model has to be before a job may start from it: all tensors f32, all values finite.  Errors name file, tensor
// and index (InvalidArgument), or what is wrong with the file (DataLoss).
Status CheckModelFile(const std::filesystem::path& path);

// What a job expects in an update file besides weights or deltas of the shared tensors.
struct UpdateRules {
  std::vector<std::string> personal;   // patterns of tensors that stay at the sites
  std::vector<std::string> auxiliary;  // e.g. "control_delta": the strategy's aux_up
};
// A site's update against the global model: the shared tensors (names, types, shapes) and the auxiliary ones, nothing
// else, all values finite.  Errors: DataLoss, naming the tensor.  `update` is what a peer sent; `model` is ours.
Status CheckUpdateFile(const std::filesystem::path& update, const std::filesystem::path& model,
                       const UpdateRules& rules = {});

// tensor::ParameterVector::digest() of the file's weights, without holding them.
StatusOr<Digest> ParametersDigest(const std::filesystem::path& path);

}  // namespace consilium::coordinator
