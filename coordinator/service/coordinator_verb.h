// `consilium coordinator --kit DIR --job JOB.yaml --initial-model FILE`.
#pragma once

#include "comm/base/command.h"

namespace consilium::coordinator {

int CoordinatorVerb(const Arguments& arguments);

}  // namespace consilium::coordinator
