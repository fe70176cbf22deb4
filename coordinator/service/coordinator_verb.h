// consilium coordinator --kit DIR --state DIR --job JOB.yaml --initial-model model.safetensors
#pragma once

#include "comm/base/command.h"

namespace consilium::coordinator {

int CoordinatorVerb(const Arguments& arguments);

}  // namespace consilium::coordinator
