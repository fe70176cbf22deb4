// consilium-trainer evaluate --predictions DIR --labels DIR [--output summary.json]
#pragma once

#include "comm/base/command.h"

namespace consilium::trainer {

int EvaluateVerb(const Arguments& arguments);

}  // namespace consilium::trainer
