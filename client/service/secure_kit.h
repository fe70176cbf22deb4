// What a site's kit has for secure aggregation: its signing key, and the roster with the others'.
#pragma once

#include "client/core/session_machine.h"
#include "comm/transport/kit.h"

namespace consilium::client {

// Leaves `options` as it is for a kit without a signing key (of an older version), with a line in the log.  Errors:
// those of pki::LoadTrust for a kit that has one and should not be trusted.
Status AddSecureParty(const transport::Kit& kit, SessionOptions* options);

}  // namespace consilium::client
