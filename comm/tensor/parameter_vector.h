// All of a model's f32 parameters and buffers as one flat vector in schema order: what is averaged, digested and sent.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "comm/tensor/schema.h"

namespace consilium::tensor {

// Owns its values; the schema is shared and immutable.  Value semantics; strand-bound.
class ParameterVector {
 public:
  ParameterVector() : schema_(std::make_shared<const Schema>()) {}
  // Zeros.  Errors: InvalidArgument when a tensor is not f32.
  static StatusOr<ParameterVector> Zeros(std::shared_ptr<const Schema> schema);

  const Schema& schema() const { return *schema_; }
  std::shared_ptr<const Schema> shared_schema() const { return schema_; }
  std::span<float> values() { return values_; }
  std::span<const float> values() const { return values_; }
  // The values of tensor number i of the schema.
  std::span<float> tensor(std::size_t i) {
    return std::span(values_).subspan(offsets_[i], offsets_[i + 1] - offsets_[i]);
  }
  std::span<const float> tensor(std::size_t i) const {
    return std::span(values_).subspan(offsets_[i], offsets_[i + 1] - offsets_[i]);
  }

  // SHA-256 over the schema's digest and the values' bytes: equal digests are equal weights, bit for bit.
  Digest digest() const;

 private:
  std::shared_ptr<const Schema> schema_;
  std::vector<float> values_;
  std::vector<std::size_t> offsets_ = {0};
};

}  // namespace consilium::tensor
