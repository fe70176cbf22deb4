// Ids that could be swapped are distinct types: a SiteName is not a JobId, and Round 3 is not attempt 3.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <utility>

namespace consilium {

template <typename Tag>
class StrongString {
 public:
  StrongString() = default;
  explicit StrongString(std::string value) : value_(std::move(value)) {}
  const std::string& value() const { return value_; }
  bool empty() const { return value_.empty(); }
  friend auto operator<=>(const StrongString&, const StrongString&) = default;
  friend std::ostream& operator<<(std::ostream& out, const StrongString& id) { return out << id.value_; }

 private:
  std::string value_;
};

using SiteName = StrongString<struct SiteNameTag>;  // "hospital-a"; proven by a certificate, ordered by bytes
using JobId = StrongString<struct JobIdTag>;        // "hippocampus-1"

enum class Round : std::uint32_t {};      // 0-based
enum class Attempt : std::uint32_t {};    // 0-based; counts the tries at one round
enum class SessionId : std::uint64_t {};  // one connected control stream; never reused by a running coordinator

constexpr std::uint32_t ToInt(Round round) { return static_cast<std::uint32_t>(round); }
constexpr std::uint32_t ToInt(Attempt attempt) { return static_cast<std::uint32_t>(attempt); }
constexpr std::uint64_t ToInt(SessionId session) { return static_cast<std::uint64_t>(session); }
inline std::ostream& operator<<(std::ostream& out, Round round) { return out << ToInt(round); }
inline std::ostream& operator<<(std::ostream& out, Attempt attempt) { return out << ToInt(attempt); }
inline std::ostream& operator<<(std::ostream& out, SessionId session) { return out << ToInt(session); }

// Names go into file names, certificates and logs: 1 to 63 of [a-z0-9-], starting and ending with a letter or digit
// (RFC 1123).
bool IsValidName(const std::string& name);

}  // namespace consilium

template <typename Tag>
struct std::hash<consilium::StrongString<Tag>> {
  std::size_t operator()(const consilium::StrongString<Tag>& id) const { return std::hash<std::string>()(id.value()); }
};
