// Unsigned integers in as few bytes as they need (LEB128), canonical: one integer has one form.
#pragma once

#include "comm/base/bytes.h"

namespace consilium::datasets {

inline void PutVarint(ByteWriter* writer, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) writer->Put(static_cast<std::uint8_t>(value | 0x80));
  writer->Put(static_cast<std::uint8_t>(value));
}

inline std::uint64_t GetVarint(ByteReader* reader) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = reader->Get<std::uint8_t>();
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if ((byte & 0x80) != 0) continue;
    if ((shift > 0 && byte == 0) || (shift == 63 && byte > 1)) break;
    return value;
  }
  reader->Fail("an integer is not in its shortest form");
  return 0;
}

}  // namespace consilium::datasets
