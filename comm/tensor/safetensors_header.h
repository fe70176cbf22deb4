// The JSON header of a safetensors file, parsed as a stream: a strict grammar, no document in memory, so that a hostile
// header costs no more than its own size.  Internal to comm/tensor.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "comm/tensor/schema.h"

namespace consilium::tensor {

struct HeaderEntry {
  TensorSpec spec;
  std::uint64_t begin = 0, end = 0;  // in the data section
};

struct SafetensorsHeader {
  std::vector<HeaderEntry> entries;  // in name order
  std::map<std::string, std::string> metadata;
};

// `data_bytes` is what the file holds after the header: the tensors must cover it without gap or overlap.  Errors:
// DataLoss.
StatusOr<SafetensorsHeader> ParseSafetensorsHeader(const std::string& text, std::uint64_t data_bytes);

}  // namespace consilium::tensor
