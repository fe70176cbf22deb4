#include "comm/tensor/parameter_vector.h"

namespace consilium::tensor {

StatusOr<ParameterVector> ParameterVector::Zeros(std::shared_ptr<const Schema> schema) {
  ParameterVector vector;
  for (const TensorSpec& spec : schema->tensors()) {
    if (spec.dtype != DType::kF32)
      return InvalidArgument("tensor '", spec.name, "' is ", DTypeName(spec.dtype), "; parameters are F32");
    vector.offsets_.push_back(vector.offsets_.back() + static_cast<std::size_t>(spec.elements()));
  }
  vector.values_.resize(static_cast<std::size_t>(schema->elements()));
  vector.schema_ = std::move(schema);
  return vector;
}

Digest ParameterVector::digest() const {
  Sha256 hash;
  hash.Update(schema_->digest().bytes);
  hash.Update({reinterpret_cast<const std::uint8_t*>(values_.data()), values_.size() * sizeof(float)});
  return hash.Finish();
}

}  // namespace consilium::tensor
