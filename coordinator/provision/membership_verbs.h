// `consilium provision invite|sign|revoke|roster`: what the authority does after the first kits; each works on
// <kits>/ca and needs nothing else.
#pragma once

#include "comm/base/command.h"

namespace consilium::coordinator {

int InviteVerb(const Arguments& arguments);
int SignVerb(const Arguments& arguments);
int RevokeVerb(const Arguments& arguments);
int RosterVerb(const Arguments& arguments);

}  // namespace consilium::coordinator
