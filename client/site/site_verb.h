// `consilium site jobs|approve|refuse|policy`: what a person at the site sees and decides.  Works on the site's
// folders, whether a client runs or not; a running one takes a decision or a newly signed policy up with the next task.
#pragma once

#include "comm/base/command.h"

namespace consilium::client {

int SiteVerb(const Arguments& arguments);

}  // namespace consilium::client
