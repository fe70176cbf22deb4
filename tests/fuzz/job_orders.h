// Whatever sites, timers, operators and the shell say to a job's machine, in whatever order.  Claims: the machine goes
// on; its journal, written and read, replays to its state; it never says to a site that something counts which the
// journal does not have; what is folded is what was accepted.
#pragma once

#include "choices.h"

namespace consilium::fuzz {

struct JobOrdersOutcome {
  bool finished = false;  // the job came to an end
};
JobOrdersOutcome RunJobOrders(Choices* choices, int steps_max);

}  // namespace consilium::fuzz
