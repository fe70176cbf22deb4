// PNG files as plain pixel arrays.
#pragma once

#include <filesystem>
#include <vector>

#include "comm/base/status.h"

namespace consilium::datasets {

struct PngPixels {
  std::int64_t width = 0, height = 0;
  int channels = 1;                   // 1: gray, 3: red, green, blue
  int bits = 8;                       // of a stored value: 8 or 16
  std::vector<std::uint16_t> values;  // [height, width, channels]
};

// Gray of 1, 2, 4, 8, 16 bits (values as stored, not stretched to 8 bits: a 1-bit mask holds 0 and 1), colour of 8
// and 16.  A palette becomes colour, or gray when all its entries are gray.  Alpha is dropped.  Every flaw of the file
// is kInvalidArgument.
StatusOr<PngPixels> ReadPng(const std::filesystem::path& path);

Status WritePng(const std::filesystem::path& path, const PngPixels& pixels);

}  // namespace consilium::datasets
