// The three papers by which a party joins, or renews its certificates, without a secret leaving it:
//
//   invitation  authority -> party   who it is to be, where the coordinator is, the authority's certificate
//   request     party -> authority   its two public keys (PKCS#10), and the fingerprint that two people read to each
//   other answer      authority -> party   its two certificates and the newest roster
//
// All are JSON files that anybody may see.  What must not be changed on the way is: the invitation's authority (its
// fingerprint is compared by the site), the request (its fingerprint is compared by the administrator, or it is signed
// by the key that the roster already knows); the answer proves itself.
#pragma once

#include <optional>

#include "comm/base/json.h"
#include "privacy/pki/roster.h"

namespace consilium::pki {

struct Invitation {
  transport::PeerName self;
  std::string coordinator_name, coordinator_host;
  int coordinator_port = 0;
  std::string authority_pem;
};
Json ToJson(const Invitation& invitation);
StatusOr<Invitation> ReadInvitation(const std::filesystem::path& file);

struct EnrolmentRequest {
  std::string project, role, name;
  std::string tls_pem, signing_pem;                   // PKCS#10
  std::optional<crypto::Signature> by_current_key{};  // of a renewal: made with the signing key in the roster
};
Json ToJson(const EnrolmentRequest& request);
StatusOr<EnrolmentRequest> ReadRequest(const std::filesystem::path& file);
// What the current key signs, and what the fingerprint is of.
Bytes CanonicalBytes(const EnrolmentRequest& request);
// 128 bits of SHA-256 in groups of four: "3f2a 91bc ...", to be read over a telephone.
std::string FingerprintOf(const EnrolmentRequest& request);
std::string FingerprintOf(const crypto::Certificate& authority);
// Spaces, colons, dashes and capitals do not matter, and the whole must be there.
bool SameFingerprint(const std::string& typed, const std::string& fingerprint);

struct RequestedKeys {
  crypto::PublicKey tls, signing;
};
// Errors: InvalidArgument for keys of the wrong kind; Unauthenticated when a request is not signed by its own key.
StatusOr<RequestedKeys> KeysOf(const EnrolmentRequest& request);

struct EnrolmentAnswer {
  std::string name;
  std::string tls_pem, signing_pem;  // certificates
  std::string roster;                // a file's text
};
Json ToJson(const EnrolmentAnswer& answer);
StatusOr<EnrolmentAnswer> ReadAnswer(const std::filesystem::path& file);

}  // namespace consilium::pki
