#include "privacy/dp/noise_key.h"

#include "comm/base/file.h"

namespace consilium::dp {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kKeyBytes = 32;

}  // namespace

StatusOr<SecretBytes> OpenNoiseKey(const fs::path& folder, Entropy& entropy) {
  const fs::path path = folder / "noise.key";
  std::error_code error;
  if (!fs::exists(path, error)) {
    SecretBytes key = RandomSecret(entropy, kKeyBytes);
    RETURN_IF_ERROR(MakeDirectories(folder));
    RETURN_IF_ERROR(WriteFileAtomic(path, key.Reveal(), 0600));
    return key;
  }
  const fs::perms others = fs::status(path, error).permissions() & (fs::perms::group_all | fs::perms::others_all);
  if (others != fs::perms::none)
    return PermissionDenied(path.string(),
                            ": others may read the secret of the noise; mend: chmod 600, and count what "
                            "was released before as unprotected");
  StatusOr<std::string> text = ReadFile(path, kKeyBytes + 1);
  if (!text.ok() || text->size() != kKeyBytes)
    return DataLoss(path.string(), " is not a key of ", kKeyBytes, " bytes, so no noise can be drawn");
  SecretBytes key(kKeyBytes);
  std::copy(text->begin(), text->end(), key.RevealMutable().begin());
  OPENSSL_cleanse(text->data(), text->size());
  return key;
}

}  // namespace consilium::dp
