#include "client/service/secure_kit.h"

#include <algorithm>
#include <thread>

#include "comm/base/log.h"
#include "privacy/pki/signer.h"

namespace consilium::client {

Status AddSecureParty(const transport::Kit& kit, SessionOptions* options) {
  std::error_code ignored;
  if (!std::filesystem::exists(pki::SigningFilesIn(kit.folder).key, ignored)) {
    Log(LogLevel::kWarning, "no_signing_key",
        {{"kit", kit.folder.string()}, {"meaning", "this site can take part in no job with secure aggregation"}});
    return Status();
  }
  const auto now = SystemClock().WallNow();
  ASSIGN_OR_RETURN(const pki::Trust trust, pki::LoadTrust(kit.folder, kit.self, now));
  auto party = std::make_shared<SecureParty>(SecureParty{
      .name = SiteName(kit.self.name), .signing = trust.signer.key(), .roster = {}, .entropy = &SystemEntropy()});
  // Who is revoked or has expired is a stranger.
  for (const SiteName& site : trust.roster.sites())
    if (const StatusOr<crypto::RawPublicKey> key = trust.roster.KeyOf(site, now); key.ok()) party->roster[site] = *key;
  options->secure = std::move(party);
  options->mask_threads = std::clamp(std::thread::hardware_concurrency(), 1u, 8u);
  return Status();
}

}  // namespace consilium::client
