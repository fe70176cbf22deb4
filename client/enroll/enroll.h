// A party's side of enrolment: it makes its keys here and asks the authority to certify them.  No secret is in any file
// that leaves the folder.
//
// New keys wait in KIT/enrolment (tls.key, signing.key, request.json) until the answer comes; a kit in use goes on with
// its old ones until then.
#pragma once

#include <filesystem>

#include "privacy/pki/enrolment.h"

namespace consilium::client {

struct BegunEnrolment {
  std::filesystem::path request;  // to be sent
  std::string fingerprint;        // to be read to the administrator
  std::string authority_fingerprint;
};

// Makes `kit`, which must be absent or empty, from an invitation.  `authority_fingerprint`: what the administrator read
// out, or "" to compare by eye.  Errors: Unauthenticated when it is another; AlreadyExists.
StatusOr<BegunEnrolment> BeginEnrolment(const std::filesystem::path& invitation, const std::filesystem::path& kit,
                                        const std::string& authority_fingerprint);
// New keys for a kit that has some, signed by the current signing key when there is one that holds.
StatusOr<BegunEnrolment> BeginRenewal(const std::filesystem::path& kit, crypto::WallTime now);
// Checks that the answer is the authority's, for this party and the keys that wait, then puts all in their places.  May
// be repeated after a crash.  Errors: FailedPrecondition when no keys wait; those of LoadTrust.
Status InstallAnswer(const std::filesystem::path& kit, const std::filesystem::path& answer, crypto::WallTime now);
// Errors: Unauthenticated when it is not this project's, does not hold, or is older than the one that is there.
Status InstallRoster(const std::filesystem::path& kit, const std::filesystem::path& roster, crypto::WallTime now);

}  // namespace consilium::client
