// `consilium audit verify LOG...`.
#pragma once

#include "comm/base/command.h"

namespace consilium::coordinator {

int AuditVerb(const Arguments& arguments);

}  // namespace consilium::coordinator
