// consilium-trainer train JOB.yaml [--data DIR] [--output RUN] [--set key=value ...] [--resume]
#pragma once

#include "comm/base/command.h"

namespace consilium::trainer {

int TrainVerb(const Arguments& arguments);

}  // namespace consilium::trainer
