#include "datasets/demo/canvas.h"

#include <cmath>

#include "comm/base/status.h"
#include "datasets/demo/bitmap_font.h"

namespace consilium::datasets {

Canvas::Canvas(std::int64_t width, std::int64_t height, Color background) : width_(width), height_(height) {
  CONSILIUM_CHECK(width > 0 && height > 0, width, " x ", height);
  rgb_.resize(static_cast<std::size_t>(width * height * 3));
  FillRectangle(0, 0, width, height, background);
}

void Canvas::FillRectangle(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height, Color color) {
  for (std::int64_t row = y; row < y + height; ++row)
    for (std::int64_t column = x; column < x + width; ++column) Blend(column, row, color, 1);
}

void Canvas::Blend(std::int64_t x, std::int64_t y, Color color, double opacity) {
  if (x < 0 || y < 0 || x >= width_ || y >= height_) return;
  std::uint8_t* pixel = rgb_.data() + (y * width_ + x) * 3;
  const auto mix = [&](std::uint8_t& old, std::uint8_t fresh) {
    old = static_cast<std::uint8_t>(std::lround((1 - opacity) * old + opacity * fresh));
  };
  mix(pixel[0], color.red);
  mix(pixel[1], color.green);
  mix(pixel[2], color.blue);
}

void Canvas::Text(std::int64_t x, std::int64_t y, std::string_view text, Color color, int scale) {
  std::int64_t at = x;
  for (const char character : text) {
    if (character == '\n') {
      at = x;
      y += LineHeight(scale);
      continue;
    }
    const auto& glyph = GlyphOf(character);
    for (int column = 0; column < kGlyphWidth; ++column)
      for (int row = 0; row < kGlyphHeight; ++row)
        if ((glyph[static_cast<std::size_t>(column)] >> row & 1) != 0)
          FillRectangle(at + column * scale, y + row * scale, scale, scale, color);
    at += (kGlyphWidth + 1) * scale;
  }
}

std::int64_t Canvas::TextWidth(std::string_view line, int scale) {
  return line.empty() ? 0 : (static_cast<std::int64_t>(line.size()) * (kGlyphWidth + 1) - 1) * scale;
}

std::int64_t Canvas::LineHeight(int scale) { return (kGlyphHeight + 2) * scale; }

Color Canvas::At(std::int64_t x, std::int64_t y) const {
  CONSILIUM_CHECK(x >= 0 && y >= 0 && x < width_ && y < height_, x, ", ", y);
  const std::uint8_t* pixel = rgb_.data() + (y * width_ + x) * 3;
  return {pixel[0], pixel[1], pixel[2]};
}

}  // namespace consilium::datasets
