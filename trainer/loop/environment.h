// RUN/environment.json: what a person needs to know to repeat a training.
#pragma once

#include "comm/base/json.h"
#include "comm/collective/communicator.h"
#include "trainer/loop/trainer.h"

namespace consilium::trainer {

// "0.1.0, LibTorch 1.13.1": also what ranks compare before they train together.
std::string BuildName();

// Versions, host, device, threads, ranks, BLAS, start time.
Json DescribeEnvironment(const Trainer& trainer, const collective::Communicator& communicator);

}  // namespace consilium::trainer
