// A 5x7 bitmap font for ASCII, with an eighth row for descenders, so that pictures can carry text without a font
// library.
#pragma once

#include <array>
#include <cstdint>

namespace consilium::datasets {

inline constexpr int kGlyphWidth = 5, kGlyphHeight = 8;

// Five columns, bit 0 = top row.  Characters outside 0x20..0x7E give a question mark.
const std::array<std::uint8_t, kGlyphWidth>& GlyphOf(char character);

}  // namespace consilium::datasets
