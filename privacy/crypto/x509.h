// X.509 certificates of a project: one authority, and end entities that it signs (RFC 5280; ECDSA with SHA-256).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "comm/base/entropy.h"
#include "privacy/crypto/keys.h"

struct x509_st;

namespace consilium::crypto {

using WallTime = std::chrono::system_clock::time_point;

enum class CertificateUse {
  kAuthority,  // signs end entities, and no further authority (pathlen 0)
  kServer,     // extended key usage serverAuth alone: a server's certificate cannot open a client's connection
  kClient,     // clientAuth alone: a client's cannot stand in for the server
  kSigning,    // a usage of our own alone, critical: it signs for a party, and opens no connection
};
// The usage of kSigning: a UUID as an object identifier (ITU-T X.667), which nobody else has.
inline constexpr char kSigningUsage[] = "2.25.299308802205143105324412258364786045931";

struct CertificateSpec {
  CertificateUse use = CertificateUse::kClient;
  std::string organization, unit, common_name;  // at most 64 bytes each; an empty one is left out
  std::vector<std::string> dns_names, ip_addresses, uris;
  WallTime not_before, not_after;
};

// Immutable; copies share it.
class Certificate {
 public:
  // The first certificate in the text.
  static StatusOr<Certificate> FromPem(const std::string& pem);
  StatusOr<std::string> ToPem() const;

  std::string subject() const;  // "O = hippocampus, OU = site, CN = hospital-a"
  std::string issuer() const;
  std::string serial() const;  // hexadecimal, lower case
  PublicKey public_key() const;
  bool HasUse(CertificateUse use) const;
  WallTime not_before() const;
  WallTime not_after() const;
  std::vector<std::string> dns_names() const;
  std::vector<std::string> uris() const;
  x509_st* get() const { return certificate_.get(); }

 private:
  friend StatusOr<Certificate> MakeCertificate(const CertificateSpec&, const PublicKey&, const Certificate*,
                                               const PrivateKey&, Entropy&);
  explicit Certificate(std::shared_ptr<x509_st> certificate) : certificate_(std::move(certificate)) {}
  std::vector<std::string> AlternativeNames(int kind) const;
  std::shared_ptr<x509_st> certificate_;
};

// An authority for itself.
StatusOr<Certificate> SelfSign(const CertificateSpec& spec, const PrivateKey& key, Entropy& entropy = SystemEntropy());
StatusOr<Certificate> SignCertificate(const CertificateSpec& spec, const PublicKey& subject_key,
                                      const Certificate& authority, const PrivateKey& authority_key,
                                      Entropy& entropy = SystemEntropy());

// Errors: Unauthenticated naming the fault and both sides of it: signed by another authority, expired, not valid yet,
// or made for another use.  `whose` begins the sentence: "the signing certificate kit/signing.pem".
Status CheckCertificate(const Certificate& certificate, const Certificate& authority, CertificateUse use, WallTime now,
                        const std::string& whose);

}  // namespace consilium::crypto
