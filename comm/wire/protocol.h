// The version of the protocol between sites and coordinator, and how versions meet.
//
// Another major version is refused by name.  Within a major version both sides speak the smaller of their minor ones:
// fields and messages that came later are neither written for such a peer nor expected from it (minor() in fields.h).
// What has to be understood before versions are known never changes: Hello begins with both numbers and says in its
// own minor number which fields follow, Welcome begins with the coordinator's minor one, Refusal is a code and a text.
//
//   1.0  the first
//   1.1  capability in Hello; subject of a task, validation and statistics tasks; auxiliary blob of a Task; what waits,
//        bandwidth and trouble in Heartbeat; DropReason stale
//   1.2  SecureAnswer and SecureRequest
//   1.3  the stages of a beacon in both
#pragma once

#include <algorithm>
#include <cstdint>

namespace consilium::wire {

inline constexpr std::uint32_t kProtocolMajor = 1;
inline constexpr std::uint32_t kProtocolMinor = 3;

// What to speak with a peer of this minor version.
constexpr std::uint32_t CommonMinor(std::uint32_t peer_minor) { return std::min(peer_minor, kProtocolMinor); }

}  // namespace consilium::wire
