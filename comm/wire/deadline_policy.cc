#include "comm/wire/deadline_policy.h"

#include <algorithm>

namespace consilium::wire {

using std::chrono::minutes;
using std::chrono::seconds;

// Fractions of the round keep a two-day round patient and a one-minute round quick; the bounds keep what does not scale
// with the work (a TCP connection, a person's attention) sensible at both ends.
DeadlinePolicy::DeadlinePolicy(Duration round_deadline)
    : task(round_deadline),
      evaluation(round_deadline),
      gather(round_deadline),
      gather_grace(std::min<Duration>(round_deadline / 4, minutes(1))),
      straggler_grace(round_deadline / 10),
      secure_stage(std::clamp<Duration>(round_deadline / 4, seconds(5), minutes(1))),
      // The longest wait of an honest coordinator between two questions is that for the other sites' vectors, D.
      secure_silence(std::max<Duration>(2 * round_deadline, minutes(5))),
      silence(std::clamp<Duration>(round_deadline / 4, seconds(30), minutes(5))),
      trainer_silence(std::max<Duration>(round_deadline, minutes(1))),
      reminder(round_deadline) {}

}  // namespace consilium::wire
