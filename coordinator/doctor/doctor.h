// `consilium doctor`: what is installed and whether it is fit, one line per finding, with the mend.  The data plane's
// half (LibTorch, BLAS, GPUs) comes from `consilium-trainer doctor --json`, run as a child.
#pragma once

#include <filesystem>
#include <vector>

#include "comm/base/command.h"
#include "comm/base/findings.h"

namespace consilium::coordinator {

int ControlDoctorVerb(const Arguments& arguments);

// Libraries, clock and entropy of this machine.
std::vector<Finding> CheckMachine();
// The kit in `folder`: its files and modes, its certificate and how long it is valid, and the way to the coordinator (a
// site's kit: TCP, TLS and both certificates) or the port to listen on (the coordinator's kit).
std::vector<Finding> CheckKit(const std::filesystem::path& folder);

}  // namespace consilium::coordinator
