#include "comm/tensor/schema.h"

#include <algorithm>
#include <array>

namespace consilium::tensor {
namespace {

struct DTypeRow {
  DType dtype;
  const char* name;
  std::size_t bytes;
};
constexpr std::array<DTypeRow, 11> kDTypes = {{{DType::kF64, "F64", 8},
                                               {DType::kF32, "F32", 4},
                                               {DType::kF16, "F16", 2},
                                               {DType::kBF16, "BF16", 2},
                                               {DType::kI64, "I64", 8},
                                               {DType::kI32, "I32", 4},
                                               {DType::kI16, "I16", 2},
                                               {DType::kI8, "I8", 1},
                                               {DType::kU8, "U8", 1},
                                               {DType::kBool, "BOOL", 1},
                                               {DType::kU16, "U16", 2}}};

constexpr std::int64_t kElementsMax = std::int64_t{1} << 48;

std::string ShapeText(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace

std::string DTypeName(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)].name; }
std::size_t DTypeBytes(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)].bytes; }

StatusOr<DType> DTypeFromName(const std::string& name) {
  for (const DTypeRow& row : kDTypes)
    if (name == row.name) return row.dtype;
  return InvalidArgument("'", name.substr(0, 32), "' is not a tensor type that is read here");
}

std::int64_t TensorSpec::elements() const {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) product *= size;
  return product;
}

StatusOr<Schema> Schema::Create(std::vector<TensorSpec> tensors) {
  Schema schema;
  for (const TensorSpec& spec : tensors) {
    if (spec.name.empty()) return InvalidArgument("a tensor has no name");
    if (spec.name == "__metadata__")
      return InvalidArgument("a tensor cannot be called __metadata__: safetensors use it");
    std::int64_t product = 1;
    for (const std::int64_t size : spec.shape) {
      if (size < 0) return InvalidArgument("tensor '", spec.name, "' has a negative size in ", ShapeText(spec.shape));
      if (size > 0 && product > kElementsMax / size)
        return InvalidArgument("tensor '", spec.name, "' is too large: ", ShapeText(spec.shape));
      product *= size;
    }
    if (product > kElementsMax - schema.elements_)
      return InvalidArgument("the tensors have more than 2^48 elements in all");
    schema.elements_ += product;
  }
  std::sort(tensors.begin(), tensors.end(), [](const TensorSpec& a, const TensorSpec& b) { return a.name < b.name; });
  for (std::size_t i = 1; i < tensors.size(); ++i)
    if (tensors[i].name == tensors[i - 1].name) return InvalidArgument("tensor '", tensors[i].name, "' is there twice");
  schema.tensors_ = std::move(tensors);
  return schema;
}

Digest Schema::digest() const {
  ByteWriter writer;
  for (const TensorSpec& spec : tensors_) {
    writer.PutString(spec.name);
    writer.Put(spec.dtype);
    writer.Put(static_cast<std::uint32_t>(spec.shape.size()));
    for (const std::int64_t size : spec.shape) writer.Put(size);
  }
  return Sha256Of(writer.bytes());
}

Status Schema::CheckSame(const Schema& other) const {
  for (std::size_t i = 0; i < std::max(tensors_.size(), other.tensors_.size()); ++i) {
    if (i >= tensors_.size()) return InvalidArgument("tensor '", other.tensors_[i].name, "' is not known here");
    const TensorSpec& mine = tensors_[i];
    if (i >= other.tensors_.size()) return InvalidArgument("tensor '", mine.name, "' is missing");
    const TensorSpec& theirs = other.tensors_[i];
    if (mine.name != theirs.name)
      return mine.name < theirs.name ? InvalidArgument("tensor '", mine.name, "' is missing")
                                     : InvalidArgument("tensor '", theirs.name, "' is not known here");
    if (mine.dtype != theirs.dtype)
      return InvalidArgument("tensor '", mine.name, "' is ", DTypeName(theirs.dtype), ", expected ",
                             DTypeName(mine.dtype));
    if (mine.shape != theirs.shape)
      return InvalidArgument("tensor '", mine.name, "' has shape ", ShapeText(theirs.shape), ", expected ",
                             ShapeText(mine.shape));
  }
  return Status();
}

}  // namespace consilium::tensor
