// What this machine and this build can do, for Hello.
#pragma once

#include "comm/wire/capability.h"

namespace consilium::client {

// Cores of the affinity mask, physical memory, NVIDIA devices of the driver, the features of this build.  The trainer
// is of the same build as the client (trainer_seat.h refuses another).
wire::Capability SiteCapability();

}  // namespace consilium::client
