#include "datasets/demo/canvas.h"

#include <gtest/gtest.h>

#include <set>

#include "datasets/demo/bitmap_font.h"

namespace consilium::datasets {
namespace {

constexpr Color kBlack = {0, 0, 0}, kWhite = {255, 255, 255};

TEST(Canvas, BlendingMixesInProportionAndOutsideIsDropped) {
  Canvas canvas(3, 2, kBlack);
  canvas.Blend(1, 1, {200, 100, 50}, 0.5);
  EXPECT_EQ(canvas.At(1, 1), (Color{100, 50, 25}));
  canvas.Blend(-1, 0, kWhite, 1);
  canvas.Blend(3, 0, kWhite, 1);
  canvas.Blend(0, 2, kWhite, 1);
  EXPECT_EQ(canvas.At(0, 0), kBlack);
  canvas.FillRectangle(2, 0, 10, 10, kWhite);
  EXPECT_EQ(canvas.At(2, 1), kWhite);
  EXPECT_EQ(canvas.rgb().size(), 18u);
}

TEST(Canvas, TextFillsItsMeasuredBoxAndNoMore) {
  constexpr int kScale = 3;
  Canvas canvas(100, 60, kBlack);
  canvas.Text(10, 10, "Hg", kWhite, kScale);
  std::int64_t left = 100, right = 0, top = 60, bottom = 0;
  for (std::int64_t y = 0; y < 60; ++y)
    for (std::int64_t x = 0; x < 100; ++x)
      if (canvas.At(x, y) == kWhite) {
        left = std::min(left, x);
        right = std::max(right, x + 1);
        top = std::min(top, y);
        bottom = std::max(bottom, y + 1);
      }
  EXPECT_EQ(left, 10);
  EXPECT_EQ(right - left, Canvas::TextWidth("Hg", kScale));
  EXPECT_EQ(top, 10);
  EXPECT_EQ(bottom - top, kGlyphHeight * kScale);  // g reaches below the line
  EXPECT_LT(bottom - top, Canvas::LineHeight(kScale));
}

TEST(Canvas, ALineBreakStartsBelowAtTheLeft) {
  Canvas together(60, 60, kBlack), apart(60, 60, kBlack);
  together.Text(4, 4, "ab\nc", kWhite, 1);
  apart.Text(4, 4, "ab", kWhite, 1);
  apart.Text(4, 4 + Canvas::LineHeight(1), "c", kWhite, 1);
  EXPECT_EQ(together.rgb(), apart.rgb());
}

TEST(BitmapFont, LettersAndDigitsAreAllDifferentAndUnknownBytesAreQuestionMarks) {
  std::set<std::array<std::uint8_t, kGlyphWidth>> glyphs;
  int printable = 0;
  for (char c = 0x20; c < 0x7F; ++c, ++printable) glyphs.insert(GlyphOf(c));
  EXPECT_EQ(static_cast<int>(glyphs.size()), printable);
  EXPECT_EQ(GlyphOf('\xC3'), GlyphOf('?'));
  EXPECT_EQ(GlyphOf('\x7F'), GlyphOf('?'));
  EXPECT_EQ(GlyphOf('I'), (std::array<std::uint8_t, 5>{0x00, 0x41, 0x7F, 0x41, 0x00}));
}

}  // namespace
}  // namespace consilium::datasets
