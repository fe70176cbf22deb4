// A secure sum in which the server's lists and a site's messages are changed on the way, and sites vanish anywhere.
// Claims: a sum that comes out is the plain sum of its survivors, bit for bit, however its parts were changed; a site
// that was given a changed list releases nothing, or the list was one that an honest server can make.
#pragma once

#include "choices.h"

namespace consilium::fuzz {

struct SecureSumOutcome {
  bool summed = false;
  std::size_t refusals = 0;
};
SecureSumOutcome RunSecureSumOrders(Choices* choices);

}  // namespace consilium::fuzz
