// The parties of a project in tests: kits as `consilium provision` makes them, and forged ones.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "comm/transport/kit.h"
#include "coordinator/provision/provision.h"
#include "privacy/crypto/x509.h"
#include "tests/testing/run_program.h"

namespace consilium::transport::testing {

inline constexpr char kProject[] = "heart";

// A certificate that the project's own authority signed, with whatever is wrong about it.
struct Forgery {
  std::string uri;  // "" for none
  crypto::CertificateUse use = crypto::CertificateUse::kClient;
  std::chrono::hours begins_in{-1}, ends_in{24};  // from now
  std::vector<std::string> dns_names = {};
};

class Parties {
 public:
  // Makes the kits of `heart` with the given sites.
  explicit Parties(const std::vector<std::string>& sites);

  std::filesystem::path folder(const std::string& party) const { return coordinator::KitFolder(kits_, party); }
  TlsFiles tls(const std::string& party) const { return TlsFilesIn(folder(party)); }
  // Files that nobody provisioned.
  TlsFiles Forge(const Forgery& forgery);

 private:
  consilium::testing::ScratchFolder scratch_;
  std::filesystem::path kits_;
  int forgeries_ = 0;
};

// alpha, beta and gamma, made once for all tests.
Parties& SharedParties();

}  // namespace consilium::transport::testing
