// Makes a project's certificate authority and one kit per party.
//
// The authority's key stays in <out>/ca, which never leaves the machine that it was made on; each other folder goes to
// its party, over a channel that the two trust: its key is inside.
#pragma once

#include <chrono>
#include <filesystem>

#include "coordinator/provision/project.h"

namespace consilium::coordinator {

// <kits>/<party>
std::filesystem::path KitFolder(const std::filesystem::path& kits, const std::string& party);

struct KitOptions {
  std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
};

// Makes `out` with ca/ and a kit folder (comm/transport/kit.h) per party, modes 0700, keys 0600.  `out` appears whole
// or not at all.  Errors: InvalidArgument from CheckProject; AlreadyExists when there is something in `out`.
Status MakeKits(const Project& project, const std::filesystem::path& out, const KitOptions& options = {});

}  // namespace consilium::coordinator
