#include "target.h"

#include <cstdio>
#include <cstdlib>

namespace consilium::fuzz {

std::vector<Target> AllTargets() {
  std::vector<Target> all;
  for (const std::span<const Target> some :
       {MessageTargets(), SecureSumTargets(), TextTargets(), FileTargets(), OrderTargets()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

void Require(bool holds, std::string_view claim) {
  if (holds) return;
  std::fprintf(stderr, "BROKEN CLAIM: %.*s\n", static_cast<int>(claim.size()), claim.data());
  std::abort();
}

}  // namespace consilium::fuzz
