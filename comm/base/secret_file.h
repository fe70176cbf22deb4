// Files that hold keys.
#pragma once

#include <filesystem>

#include "comm/base/secret.h"

namespace consilium {

// Read into a secret's memory at once: no buffer on the way keeps a copy.  Errors: as ReadFile (file.h).
StatusOr<SecretBytes> ReadSecretFile(const std::filesystem::path& path, std::size_t size_max = std::size_t{1} << 20);

}  // namespace consilium
