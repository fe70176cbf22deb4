// `consilium doctor`: what is installed and whether it is fit, one line per finding, with the mend.  The data plane's
// half (LibTorch, BLAS, GPUs) comes from `consilium-trainer doctor --json`, run as a child.
#pragma once

#include <chrono>
#include <filesystem>
#include <vector>

#include "comm/base/command.h"
#include "comm/base/findings.h"
#include "comm/transport/peer_name.h"

namespace consilium::coordinator {

int ControlDoctorVerb(const Arguments& arguments);

// Libraries, clock and entropy of this machine.
std::vector<Finding> CheckMachine();
// The kit in `folder`: its files and modes, its certificate and how long it is valid, and the way to the coordinator (a
// site's kit: TCP, TLS and both certificates) or the port to listen on (the coordinator's kit).
std::vector<Finding> CheckKit(const std::filesystem::path& folder);
// Parts of it.  Faults alone: a TLS certificate where a signing one belongs, or the other way round.
std::vector<Finding> CheckMixedUp(const std::filesystem::path& kit_folder);
// The signing certificate, the roster, and what ends soon.
std::vector<Finding> CheckSigning(const std::filesystem::path& kit_folder, const transport::PeerName& self,
                                  std::chrono::system_clock::time_point now);

}  // namespace consilium::coordinator
