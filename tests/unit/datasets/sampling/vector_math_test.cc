#include "datasets/sampling/vector_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace consilium::datasets {
namespace {

TEST(VectorMath, PowerIsWithinAFewUnitsOfTheLibrarysOnTheUnitInterval) {
  double worst = 0;
  for (int i = 1; i <= 20000; ++i)
    for (const float power : {0.7f, 0.85f, 1.0f, 1.3f, 1.5f, 3.0f}) {
      const float x = static_cast<float>(i) / 20000.0f;
      const double exact = std::pow(static_cast<double>(x), static_cast<double>(power));
      worst = std::max(worst, std::abs(static_cast<double>(FastPow(x, power)) - exact) / exact);
    }
  EXPECT_LT(worst, 3e-6);
}

TEST(VectorMath, PowerOfZeroIsZeroOfOneIsOneAndOfTinyNeverExplodes) {
  EXPECT_EQ(FastPow(0.0f, 0.7f), 0.0f);
  EXPECT_EQ(FastPow(0.0f, 1.5f), 0.0f);
  EXPECT_EQ(FastPow(1.0f, 1.37f), 1.0f);
  EXPECT_NEAR(FastPow(1.2e-38f, 1.5f), 0.0f, 1e-37f);
  EXPECT_NEAR(FastPow(1.0000001f, 1.5f), 1.0f, 1e-6f);  // a fraction may round to just above one
}

TEST(VectorMath, LogarithmMatchesTheLibrary) {
  for (float x = 1e-7f; x < 3.0f; x *= 1.0013f)
    EXPECT_NEAR(FastLog(x), std::log(static_cast<double>(x)),
                1e-7 + 1.5e-7 * std::abs(std::log(static_cast<double>(x))))
        << x;
}

TEST(VectorMath, SineAndCosineMatchTheLibraryOnAnEighthTurn) {
  for (int i = -1000; i <= 1000; ++i) {
    const double x = i / 1000.0 * std::numbers::pi / 4;
    EXPECT_NEAR(FastSin(static_cast<float>(x)), std::sin(x), 1.2e-7);
    EXPECT_NEAR(FastCos(static_cast<float>(x)), std::cos(x), 1.2e-7);
  }
}

}  // namespace
}  // namespace consilium::datasets
