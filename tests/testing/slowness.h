// How much longer tests of real processes wait in a build that is slower by nature.
#pragma once

namespace consilium::testing {

// Deadlines in tests are given for a plain build, and multiplied with this where they are waited for.
#if defined(__SANITIZE_THREAD__)
inline constexpr int kSlowness = 8;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr int kSlowness = 4;
#else
inline constexpr int kSlowness = 1;
#endif

}  // namespace consilium::testing
