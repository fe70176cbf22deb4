// The names, types and shapes of a model's tensors, in canonical (byte-wise name) order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "comm/base/digest.h"

namespace consilium::tensor {

enum class DType : std::uint8_t { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool, kU16 };
std::string DTypeName(DType dtype);  // safetensors' names: "F32", "BF16", ...
StatusOr<DType> DTypeFromName(const std::string& name);
std::size_t DTypeBytes(DType dtype);

struct TensorSpec {
  std::string name;  // "encoder.stages.0.0.convs.0.conv.weight"
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;  // [] is a scalar

  std::int64_t elements() const;  // checked by Schema::Create not to overflow
  std::uint64_t bytes() const { return static_cast<std::uint64_t>(elements()) * DTypeBytes(dtype); }
  friend bool operator==(const TensorSpec&, const TensorSpec&) = default;
};

// Immutable.
class Schema {
 public:
  Schema() = default;
  // Sorts by name.  Errors: InvalidArgument for duplicate, empty or reserved names, negative sizes, more than 2^48
  // elements in all.
  static StatusOr<Schema> Create(std::vector<TensorSpec> tensors);

  const std::vector<TensorSpec>& tensors() const { return tensors_; }
  std::int64_t elements() const { return elements_; }
  // SHA-256 over names, types and shapes.
  Digest digest() const;
  // OK when equal; else the first difference in words ("tensor 'x' has shape [3] here, [4] there").
  Status CheckSame(const Schema& other) const;
  friend bool operator==(const Schema&, const Schema&) = default;

 private:
  std::vector<TensorSpec> tensors_;
  std::int64_t elements_ = 0;
};

}  // namespace consilium::tensor
