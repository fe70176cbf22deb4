// `consilium coordinator backup` and `consilium coordinator restore`.
#pragma once

#include "comm/base/command.h"

namespace consilium::coordinator {

int BackupVerb(const Arguments& arguments);
int RestoreVerb(const Arguments& arguments);

}  // namespace consilium::coordinator
