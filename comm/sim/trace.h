// What happened, as a running hash and, when somebody listens, as text.  Two runs with equal hashes had the same
// history; the first line in which two listened runs differ is where their worlds parted.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>

#include "comm/sim/event_queue.h"

namespace consilium::sim {

// Strand-bound.
class Trace {
 public:
  // `queue` outlives the trace.  Without a listener no text is made.
  explicit Trace(const EventQueue* queue, std::function<void(const std::string&)> listener = {})
      : queue_(queue), listener_(std::move(listener)) {}

  // One event: texts and numbers, in this order.
  template <typename... Parts>
  void Note(const Parts&... parts) {
    Mix(static_cast<std::uint64_t>(queue_->Now().time_since_epoch().count()));
    (MixPart(parts), ...);
    ++events_;
    if (listener_) Say(Concat(parts...));
  }

  // Only for who listens: it is no part of the history.
  template <typename... Parts>
  void Comment(const Parts&... parts) const {
    if (listener_) Say(Concat(parts...));
  }

  std::uint64_t hash() const { return hash_; }
  std::uint64_t events() const { return events_; }
  bool has_listener() const { return static_cast<bool>(listener_); }

 private:
  template <typename T>
  void MixPart(const T& part) {
    if constexpr (std::is_convertible_v<T, std::string_view>) {
      MixText(part);
    } else {
      static_assert(std::is_integral_v<T> || std::is_enum_v<T>, "texts and whole numbers");
      Mix(static_cast<std::uint64_t>(part));
    }
  }
  void Mix(std::uint64_t value) { hash_ = StreamHash(hash_ ^ value); }
  void MixText(std::string_view text);
  static std::uint64_t StreamHash(std::uint64_t value);  // SplitMix64's finaliser
  void Say(const std::string& text) const;

  const EventQueue* queue_;
  std::function<void(const std::string&)> listener_;
  std::uint64_t hash_ = 0x243F6A8885A308D3;
  std::uint64_t events_ = 0;
};

}  // namespace consilium::sim
