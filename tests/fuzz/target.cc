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

void Fuzzer::Run(ByteSpan input) const {
  if (input.empty()) return;
  targets[input.back() % targets.size()].run(input.first(input.size() - 1));
}

std::vector<Bytes> Fuzzer::Seeds() const {
  std::vector<Bytes> all;
  for (std::size_t i = 0; i < targets.size(); ++i)
    for (Bytes& seed : targets[i].seeds()) {
      seed.push_back(static_cast<std::uint8_t>(i));
      all.push_back(std::move(seed));
    }
  return all;
}

std::vector<Fuzzer> AllFuzzers() {
  const auto together = [](std::string_view name, std::span<const Target> targets) {
    return Fuzzer{name, {targets.begin(), targets.end()}};
  };
  std::vector<Fuzzer> all = {together("messages", MessageTargets()), together("secure_sums", SecureSumTargets()),
                             together("texts", TextTargets()), together("files", FileTargets())};
  for (const Target& machine : OrderTargets()) all.push_back({machine.name, {machine}});
  return all;
}

void Require(bool holds, std::string_view claim) {
  if (holds) return;
  std::fprintf(stderr, "BROKEN CLAIM: %.*s\n", static_cast<int>(claim.size()), claim.data());
  std::abort();
}

}  // namespace consilium::fuzz
