// `consilium client --kit DIR --data DIR`.
#pragma once

#include "comm/base/command.h"

namespace consilium::client {

int ClientVerb(const Arguments& arguments);

}  // namespace consilium::client
