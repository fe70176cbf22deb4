// How much noise a privacy budget asks for.
#pragma once

#include "privacy/dp/mechanism.h"

namespace consilium::dp {

enum class Accountant { kRdp, kPld };

// The smallest noise multiplier, to within 0.1 % and rounded up, for which `steps` releases at sampling rate q stay
// within (epsilon, delta).  Errors: InvalidArgument for values that make no sense, or when 10^4 is not enough.
StatusOr<double> NoiseFor(double epsilon, double delta, double sampling_rate, std::int64_t steps,
                          Accountant accountant);

}  // namespace consilium::dp
