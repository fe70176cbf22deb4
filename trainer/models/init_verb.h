// consilium-trainer init JOB.yaml --data DIR | --channels N --classes N -o model.safetensors
#pragma once

#include "comm/base/command.h"

namespace consilium::trainer {

// Writes the job's seeded starting weights: the first global model of a federation, and what any training of that job
// starts from.
int InitVerb(const Arguments& arguments);

}  // namespace consilium::trainer
