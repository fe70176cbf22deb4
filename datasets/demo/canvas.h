// A small colour picture to draw on: rectangles, blends, text.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace consilium::datasets {

struct Color {
  std::uint8_t red, green, blue;
  bool operator==(const Color&) const = default;
};

// Strand-bound.  Everything drawn outside the picture is dropped.
class Canvas {
 public:
  Canvas(std::int64_t width, std::int64_t height, Color background);

  void FillRectangle(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height, Color color);
  // Mixes `color` into the pixel: opacity 0 leaves it, 1 replaces it.
  void Blend(std::int64_t x, std::int64_t y, Color color, double opacity);
  // Top left corner of the first glyph; each font pixel becomes scale x scale.  '\n' starts a new line.
  void Text(std::int64_t x, std::int64_t y, std::string_view text, Color color, int scale = 2);

  // Of one line, in pixels.
  static std::int64_t TextWidth(std::string_view line, int scale = 2);
  static std::int64_t LineHeight(int scale = 2);

  Color At(std::int64_t x, std::int64_t y) const;
  std::int64_t width() const { return width_; }
  std::int64_t height() const { return height_; }
  const std::vector<std::uint8_t>& rgb() const { return rgb_; }  // [height, width, 3]

 private:
  std::int64_t width_, height_;
  std::vector<std::uint8_t> rgb_;
};

}  // namespace consilium::datasets
