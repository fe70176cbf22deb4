// `consilium-trainer worker`: the trainer as a child of a site client.
#pragma once

#include "comm/base/command.h"

namespace consilium::trainer {

int WorkerVerb(const Arguments& arguments);

}  // namespace consilium::trainer
