// consilium-trainer predict --model RUN[,RUN...] --input DIR --output DIR
#pragma once

#include "comm/base/command.h"

namespace consilium::trainer {

int PredictVerb(const Arguments& arguments);

}  // namespace consilium::trainer
