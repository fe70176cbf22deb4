// `consilium-trainer doctor`: the data plane's half of what is installed and how fast it is. `consilium doctor` runs it
// as a child with --json and adds its own half.
#pragma once

#include "comm/base/command.h"

namespace consilium::trainer {

// One line per finding on stdout, or with --json one document {"findings", "worst"}. Exit code 1 when a finding is a
// FAIL.
int DoctorVerb(const Arguments& arguments);

}  // namespace consilium::trainer
