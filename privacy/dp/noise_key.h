// The secret that a site's noise comes from.
#pragma once

#include <filesystem>

#include "comm/base/entropy.h"
#include "comm/base/secret.h"
#include "comm/base/status.h"

namespace consilium::dp {

// `folder`/noise.key, 32 random bytes that only this user may read; drawn and made durable when there is none.  Whoever
// has it can take the noise off every release: it never leaves the site.  The caller holds the folder's lock.
// Errors: Storage; DataLoss when the file is not one of ours; PermissionDenied when others may read it.
StatusOr<SecretBytes> OpenNoiseKey(const std::filesystem::path& folder, Entropy& entropy);

}  // namespace consilium::dp
