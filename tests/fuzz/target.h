// What is fuzzed: functions that take bytes which a peer, a person or a disk may have made, and claims that hold for
// all of them.  The same targets run under libFuzzer (libfuzzer_main.cc) and, with seeds and fixed mutations, among the
// unit tests (replay_test.cc).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "comm/base/bytes.h"

namespace consilium::fuzz {

struct Target {
  std::string_view name;  // "site_message"
  void (*run)(ByteSpan input) = nullptr;
  std::vector<Bytes> (*seeds)() = nullptr;  // real inputs to begin with
  int mutations = 1500;                     // in replay_test: fewer where one costs more
};

// Each file of targets offers its own.
std::span<const Target> MessageTargets();
std::span<const Target> SecureSumTargets();
std::span<const Target> TextTargets();
std::span<const Target> FileTargets();
std::span<const Target> OrderTargets();

std::vector<Target> AllTargets();

// What libFuzzer searches at a time: related targets together, or one that is a whole machine.  An input's last byte
// chooses the target, the rest is its input.
struct Fuzzer {
  std::string_view name;
  std::vector<Target> targets;

  void Run(ByteSpan input) const;
  std::vector<Bytes> Seeds() const;
};
std::vector<Fuzzer> AllFuzzers();

// Ends the process with `claim` on stderr when it does not hold: every driver sees that, with or without exceptions.
void Require(bool holds, std::string_view claim);

}  // namespace consilium::fuzz
