// A consortium's authority and the signing files of one party, in memory and in a folder.
#pragma once

#include <filesystem>

#include "privacy/pki/signer.h"
#include "tests/testing/run_program.h"

namespace consilium::pki {

inline const WallTime kNow = std::chrono::system_clock::from_time_t(1'780'000'000);
inline constexpr std::chrono::hours kDay{24};

struct Authority {
  crypto::PrivateKey key;
  crypto::Certificate certificate;
};
Authority MakeAuthority(const std::string& name = "ca");

crypto::CertificateSpec SpecFor(const transport::PeerName& party, crypto::CertificateUse use);

// A kit of the site "alpha" of project "heart": signing key and certificate, TLS authority, roster of alpha and beta.
class KitOnDisk {
 public:
  KitOnDisk();
  std::filesystem::path folder() const { return scratch_.path(); }
  SigningFiles files() const { return SigningFilesIn(folder()); }
  void WriteCertificate(const crypto::Certificate& certificate) const;
  void WriteKey(const crypto::SigningKey& key) const;
  void WriteRoster(RosterContents contents) const;

  consilium::testing::ScratchFolder scratch_;
  const transport::PeerName self{"heart", transport::Role::kSite, "alpha", {}};
  const Authority authority = MakeAuthority();
  const crypto::SigningKey key;
  RosterContents roster;
};

}  // namespace consilium::pki
