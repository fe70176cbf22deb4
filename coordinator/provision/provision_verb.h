// `consilium provision PROJECT.yaml -o KITS`.
#pragma once

#include "comm/base/command.h"

namespace consilium::coordinator {

int ProvisionVerb(const Arguments& arguments);

}  // namespace consilium::coordinator
