// Whatever a coordinator, a trainer, timers and transfers say to a site's machine, in whatever order.  Claims: the
// machine goes on; what it remembers is written and read to the same; it speaks only while it is connected; shares of
// one round of one job are said in one version only, and after they were persisted, and so is its nonce for a beacon; a
// finished client says no more.
#pragma once

#include "choices.h"

namespace consilium::fuzz {

struct SessionOrdersOutcome {
  std::size_t tasks_run = 0, outcomes_told = 0, questions_answered = 0, nonces_said = 0;
};
SessionOrdersOutcome RunSessionOrders(Choices* choices, int steps_max);

}  // namespace consilium::fuzz
