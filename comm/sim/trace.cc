#include "comm/sim/trace.h"

#include <cstdio>

namespace consilium::sim {

std::uint64_t Trace::StreamHash(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

// FNV-1a, and the length so that ("ab", "c") is not ("a", "bc").
void Trace::MixText(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char character : text) hash = (hash ^ static_cast<std::uint8_t>(character)) * 0x100000001b3;
  Mix(hash ^ text.size());
}

void Trace::Say(const std::string& text) const {
  char time[32];
  std::snprintf(time, sizeof time, "%12.6f  ", Seconds(queue_->Now().time_since_epoch()));
  listener_(time + text);
}

}  // namespace consilium::sim
