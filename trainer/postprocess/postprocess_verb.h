// consilium-trainer postprocess --learn --predictions DIR --labels DIR | --apply FILE --predictions DIR --output DIR
#pragma once

#include "comm/base/command.h"

namespace consilium::trainer {

int PostprocessVerb(const Arguments& arguments);

}  // namespace consilium::trainer
