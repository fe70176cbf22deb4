// A model with tensors of every awkward size, differences over it, and update files.
#pragma once

#include <gtest/gtest.h>

#include "comm/base/rng.h"
#include "comm/wire/update_format.h"
#include "tests/testing/run_program.h"

namespace consilium::wire {

inline constexpr tensor::Compression kSchemes[] = {tensor::Compression::kNone, tensor::Compression::kHalf,
                                                   tensor::Compression::kInt8, tensor::Compression::kTopK};

inline std::shared_ptr<const tensor::Schema> AwkwardSchema() {
  using tensor::DType;
  return std::make_shared<const tensor::Schema>(
      tensor::Schema::Create({{"a.weight", DType::kF32, {2, 300, 117}},  // more than one block of 65536
                              {"b.bias", DType::kF32, {513}},            // one value more than a block of 512
                              {"c.scalar", DType::kF32, {}},
                              {"d.none", DType::kF32, {0, 7}},
                              {"z.zeros", DType::kF32, {700}}})
          .value());
}

// Normal numbers, of another magnitude for each tensor; the last one stays zero.
inline tensor::ParameterVector RandomDelta(std::uint64_t seed, std::shared_ptr<const tensor::Schema> schema) {
  tensor::ParameterVector delta = tensor::ParameterVector::Zeros(std::move(schema)).value();
  Rng rng(seed);
  float magnitude = 1e-3f;
  for (std::size_t i = 0; i < delta.schema().tensors().size(); ++i, magnitude *= 30)
    if (delta.schema().tensors()[i].name != "z.zeros")
      for (float& value : delta.tensor(i)) value = magnitude * static_cast<float>(rng.Normal());
  return delta;
}

inline tensor::ParameterVector ReadWhole(const UpdateReader& reader, std::shared_ptr<const tensor::Schema> schema) {
  tensor::ParameterVector values = tensor::ParameterVector::Zeros(std::move(schema)).value();
  for (std::size_t i = 0; i < values.schema().tensors().size(); ++i)
    EXPECT_TRUE(reader.ReadTile(i, 0, values.tensor(i)).ok());
  return values;
}

}  // namespace consilium::wire
