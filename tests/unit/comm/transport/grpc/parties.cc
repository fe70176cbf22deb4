#include "tests/unit/comm/transport/grpc/parties.h"

#include "comm/base/file.h"

namespace consilium::transport::testing {
namespace {

std::string Text(const std::filesystem::path& path) { return ReadFile(path).value(); }

}  // namespace

Parties::Parties(const std::vector<std::string>& sites) : kits_(scratch_ / "kits") {
  coordinator::Project project;
  project.name = kProject;
  project.host = "127.0.0.1";
  project.port = 8443;
  for (const std::string& site : sites) project.sites.emplace_back(site);
  const Status made = coordinator::MakeKits(project, kits_);
  CONSILIUM_CHECK(made.ok(), made);
}

TlsFiles Parties::Forge(const Forgery& forgery) {
  const auto now = std::chrono::system_clock::now();
  const crypto::Certificate authority = crypto::Certificate::FromPem(Text(kits_ / "ca" / "ca.crt")).value();
  const std::string authority_pem = Text(kits_ / "ca" / "ca.key");
  const crypto::PrivateKey authority_key =
      crypto::PrivateKey::FromPem(SecretBytes(Bytes(authority_pem.begin(), authority_pem.end()))).value();
  const crypto::PrivateKey key = crypto::PrivateKey::Generate().value();
  crypto::CertificateSpec spec;
  spec.use = forgery.use;
  spec.organization = kProject;
  spec.common_name = "forged";
  if (!forgery.uri.empty()) spec.uris = {forgery.uri};
  spec.dns_names = forgery.dns_names;
  spec.not_before = now + forgery.begins_in;
  spec.not_after = now + forgery.ends_in;
  const crypto::Certificate certificate =
      crypto::SignCertificate(spec, crypto::PublicKey::Of(key), authority, authority_key).value();
  const std::filesystem::path folder = scratch_ / Concat("forged-", forgeries_++);
  const TlsFiles files = TlsFilesIn(folder);
  CONSILIUM_CHECK(MakeDirectories(folder / "tls").ok());
  CONSILIUM_CHECK(WriteFileAtomic(files.ca, Text(kits_ / "ca" / "ca.crt")).ok());
  CONSILIUM_CHECK(WriteFileAtomic(files.certificate, certificate.ToPem().value()).ok());
  CONSILIUM_CHECK(WriteFileAtomic(files.key, key.ToPem().value().Reveal(), 0600).ok());
  return files;
}

Parties& SharedParties() {
  static Parties parties({"alpha", "beta", "gamma"});
  return parties;
}

}  // namespace consilium::transport::testing
