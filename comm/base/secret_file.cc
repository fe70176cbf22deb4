#include "comm/base/secret_file.h"

#include "comm/base/descriptor.h"

namespace consilium {

StatusOr<SecretBytes> ReadSecretFile(const std::filesystem::path& path, std::size_t size_max) {
  ASSIGN_OR_RETURN(const InputFile file, InputFile::Open(path));
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return InvalidArgument(path.string(), " is not a file that holds a key: ", error.message());
  if (size > size_max) return ResourceExhausted(path.string(), " is larger than the ", size_max, " bytes allowed");
  SecretBytes secret(static_cast<std::size_t>(size));
  RETURN_IF_ERROR(file.Read(0, secret.RevealMutable()));
  return secret;
}

}  // namespace consilium
