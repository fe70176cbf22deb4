// `consilium enroll`: a party makes its own keys, installs what the authority answered, and newer rosters.
#pragma once

#include "comm/base/command.h"

namespace consilium::client {

int EnrollVerb(const Arguments& arguments);

}  // namespace consilium::client
