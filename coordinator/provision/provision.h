// Makes a project's certificate authority and one kit per party.
//
// The authority's key stays in <out>/ca (authority.h), which never leaves the machine that it was made on; each other
// folder goes to its party, over a channel that the two trust: its keys are inside.  A site that wants to make its keys
// itself is invited instead (membership_verbs.h).
#pragma once

#include <chrono>
#include <filesystem>

#include "comm/transport/kit.h"
#include "coordinator/provision/project.h"

namespace consilium::coordinator {

// What the party's kit.json says; without the folder and the files.
transport::Kit KitOf(const transport::PeerName& party, const Project& project);
// <kits>/<party>
std::filesystem::path KitFolder(const std::filesystem::path& kits, const std::string& party);

struct KitOptions {
  std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
};

// Makes `out` with ca/ and a kit folder (comm/transport/kit.h) per party, modes 0700, keys 0600.  `out` appears whole
// or not at all.  Errors: InvalidArgument from CheckProject; AlreadyExists when there is something in `out`.
Status MakeKits(const Project& project, const std::filesystem::path& out, const KitOptions& options = {});

}  // namespace consilium::coordinator
