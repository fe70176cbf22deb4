// A backup: one file in the tar format (POSIX.1-1988 ustar, sizes beyond 8 GiB in GNU's base-256), so that any tar
// lists it, whose last member is MANIFEST.json: {"version": 1, "made": UTC, "files": {name: {"bytes", "sha256"}}}.
#pragma once

#include <cstdint>
#include <filesystem>

#include "comm/base/json.h"

namespace consilium::coordinator {

// Packs every file of `folder`, in name order.  `output` appears whole or not at all; readable by its owner alone.
// Returns the manifest.  Errors: Storage.
StatusOr<Json> PackArchive(const std::filesystem::path& folder, const std::filesystem::path& output);

// Unpacks into `folder`, which must be absent or empty, and which appears whole or not at all: every file is there with
// the manifest's digest, and nothing else.  Returns the manifest.  Errors: DataLoss, naming what is damaged;
// AlreadyExists when something is in `folder`; Storage.
StatusOr<Json> UnpackArchive(const std::filesystem::path& archive, const std::filesystem::path& folder);

}  // namespace consilium::coordinator
