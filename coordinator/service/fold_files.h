// Averages safetensors files tile by tile: memory does not grow with the model or with the number of sites.
#pragma once

#include <filesystem>
#include <vector>

#include "comm/base/digest.h"
#include "comm/tensor/schema.h"

namespace consilium::coordinator {

struct FoldInput {
  std::filesystem::path file;
  double weight = 1;
};

// Writes the weighted mean of `inputs` (in the order given, f64 accumulators; coordinator/core/fold.h) to `out`, durable when it
// returns; the result is the new weights' digest, as tensor::ParameterVector::digest() would give it.
// Memory: one tile a file.  Errors: DataLoss when an input is not what it was when it was accepted; Storage.
StatusOr<Digest> FoldFiles(const std::vector<FoldInput>& inputs, const std::filesystem::path& out);

// May this file be folded with a model of this schema: the same tensors, every value finite?  InvalidArgument or DataLoss names the
// tensor.
Status CheckUpdateFile(const std::filesystem::path& file, const tensor::Schema& expected);

}  // namespace consilium::coordinator
