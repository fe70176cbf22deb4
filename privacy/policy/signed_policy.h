// A site's policy and the signature without which it counts for nothing:
//
//   KIT/policy.yaml   the text
//   KIT/policy.sig    {"signer": "hospital-a" or "officer", "signature": hex}: Ed25519 over project, site and the text
//   KIT/officer.pem   when there: the public key of a person who must sign; the site's own key is then not enough
#pragma once

#include <filesystem>

#include "privacy/pki/signer.h"
#include "privacy/policy/site_policy.h"

namespace consilium::policy {

struct PolicyFiles {
  std::filesystem::path text, signature, officer;
};
PolicyFiles PolicyFilesIn(const std::filesystem::path& kit_folder);

struct SignedPolicy {
  SitePolicy policy;
  Digest digest;       // SHA-256 of the text
  std::string signer;  // the site, or "officer"
};

// What is signed.
Bytes PolicyBytes(const transport::PeerName& site, const std::string& text);
// Signs the text that is there; checks first that it reads.  `key`: the site's own, or the officer's.  Errors:
// InvalidArgument from ParsePolicy, or when it is of another project; PermissionDenied when the kit has an officer and
// this is not their key.
Status SignPolicy(const std::filesystem::path& kit_folder, const transport::PeerName& site,
                  const crypto::SigningKey& key);
// `own`: the site's signing key.  Errors: NotFound when there is no policy; Unauthenticated when it is not signed by
// whom it must be, or was changed since; InvalidArgument from ParsePolicy.  Each says how to mend it.
StatusOr<SignedPolicy> LoadPolicy(const std::filesystem::path& kit_folder, const transport::PeerName& site,
                                  const crypto::RawPublicKey& own);

}  // namespace consilium::policy
