// What a kit says of signing: its certificate, the roster, and whether TLS and signing files were taken for each other.
#include "comm/base/file.h"
#include "comm/transport/kit.h"
#include "coordinator/doctor/doctor.h"
#include "privacy/pki/signer.h"
#include "privacy/pki/utc.h"
#include "privacy/policy/signed_policy.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;
using crypto::CertificateUse;

bool IsOfUse(const fs::path& file, CertificateUse use) {
  const StatusOr<std::string> pem = ReadFile(file, 1 << 20);
  if (!pem.ok()) return false;
  const StatusOr<crypto::Certificate> certificate = crypto::Certificate::FromPem(*pem);
  return certificate.ok() && certificate->HasUse(use);
}

// The mend for each kind of fault.
std::string MendFor(const Status& status) {
  switch (status.code()) {
    case StatusCode::kNotFound:
      return "consilium enroll --renew --kit KIT makes the missing keys; the administrator signs the request";
    case StatusCode::kInvalidArgument:
      return "mend the file, or make new keys with consilium enroll --renew --kit KIT";
    default:
      return "take all files from one kit; renew with consilium enroll --renew; a newer roster comes from the "
             "administrator";
  }
}

// Without a policy that holds, a site refuses everything.
Finding PolicyFinding(const fs::path& kit_folder, const transport::PeerName& self, const pki::Trust& trust,
                      std::chrono::system_clock::time_point now) {
  const StatusOr<policy::SignedPolicy> loaded = policy::LoadPolicy(kit_folder, self, trust.signer.key().public_key());
  if (!loaded.ok())
    return {FindingLevel::kFail, "policy", loaded.status().message(), "until then this site refuses every task"};
  const policy::SitePolicy& policy = loaded->policy;
  if (policy.until && now > *policy.until)
    return {FindingLevel::kFail, "policy", "it ended on " + pki::FormatSecond(*policy.until),
            "set a new `until` in policy.yaml, then consilium site policy --sign --kit KIT"};
  return {FindingLevel::kOk, "policy",
          Concat("signed by ", loaded->signer, ": averages of at least ", policy.min_cohort, " sites, ",
                 policy.approval == policy::Approval::kManual ? "each job is approved by a person"
                                                              : "jobs need no approval")};
}

}  // namespace

std::vector<Finding> CheckMixedUp(const fs::path& kit_folder) {
  const transport::TlsFiles tls = transport::TlsFilesIn(kit_folder);
  const pki::SigningFiles signing = pki::SigningFilesIn(kit_folder);
  std::vector<Finding> findings;
  if (IsOfUse(tls.certificate, CertificateUse::kSigning))
    findings.push_back({FindingLevel::kFail, "certificate", tls.certificate.string() + " is a signing certificate",
                        "TLS and signing files were mixed up: put tls.crt and tls.key back"});
  if (IsOfUse(signing.certificate, CertificateUse::kClient) || IsOfUse(signing.certificate, CertificateUse::kServer))
    findings.push_back({FindingLevel::kFail, "signing", signing.certificate.string() + " is a TLS certificate",
                        "TLS and signing files were mixed up: put signing.pem and signing.key back"});
  return findings;
}

std::vector<Finding> CheckSigning(const fs::path& kit_folder, const transport::PeerName& self,
                                  std::chrono::system_clock::time_point now) {
  const StatusOr<pki::Trust> trust = pki::LoadTrust(kit_folder, self, now);
  if (!trust.ok()) return {{FindingLevel::kFail, "signing", trust.status().message(), MendFor(trust.status())}};
  const auto end = trust->signer.certificate().not_after();
  std::vector<Finding> findings = {
      {FindingLevel::kOk, "signing",
       Concat("a key of its own, certified until ", pki::FormatSecond(end), " (", pki::DaysUntil(end, now), " days)")},
      {FindingLevel::kOk, "roster",
       Concat("serial ", trust->roster.serial(), " with ", trust->roster.sites().size(), " sites, ",
              trust->roster.contents().revoked.size(), " certificates revoked, until ",
              pki::FormatSecond(trust->roster.contents().expires))}};
  findings[0].values = {{"days_left", pki::DaysUntil(end, now)}};
  findings[1].values = {{"serial", trust->roster.serial()}};
  if (self.role == transport::Role::kSite) findings.push_back(PolicyFinding(kit_folder, self, *trust, now));
  for (const std::string& warning : pki::ExpiryWarnings(*trust, now))
    findings.push_back({FindingLevel::kWarn, "expiry", warning, "do it before that day"});
  return findings;
}

}  // namespace consilium::coordinator
