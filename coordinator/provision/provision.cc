#include "coordinator/provision/provision.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "comm/base/entropy.h"
#include "comm/base/file.h"
#include "comm/transport/kit.h"
#include "coordinator/provision/authority.h"
#include "privacy/pki/signer.h"
#include "privacy/policy/signed_policy.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;
using crypto::Certificate;
using crypto::PrivateKey;
using crypto::PublicKey;
using crypto::SigningKey;
using crypto::WallTime;
using transport::Kit;
using transport::PeerName;
using transport::Role;

Status MakePrivateFolder(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0) return ErrnoStatus(errno, "creating folder " + folder.string());
  return Status();
}

Status WritePem(const fs::path& path, const Certificate& certificate) {
  ASSIGN_OR_RETURN(const std::string pem, certificate.ToPem());
  return WriteFileAtomic(path, pem);
}

template <typename Key>
Status WriteKey(const fs::path& path, const Key& key) {
  ASSIGN_OR_RETURN(const SecretBytes pem, key.ToPem());
  return WriteFileAtomic(path, pem.Reveal(), 0600);
}

Status MakeKit(const PeerName& party, Authority* authority, WallTime now, const fs::path& folder) {
  RETURN_IF_ERROR(MakePrivateFolder(folder));
  RETURN_IF_ERROR(MakePrivateFolder(folder / "tls"));
  ASSIGN_OR_RETURN(const PrivateKey key, PrivateKey::Generate());
  const SigningKey signing = SigningKey::Generate(SystemEntropy());
  ASSIGN_OR_RETURN(const Authority::Certified certified,
                   authority->Certify(party, PublicKey::Of(key), PublicKey::Of(signing), now));
  const transport::TlsFiles tls = transport::TlsFilesIn(folder);
  RETURN_IF_ERROR(WritePem(tls.ca, authority->certificate()));
  RETURN_IF_ERROR(WritePem(tls.certificate, certified.tls));
  RETURN_IF_ERROR(WriteKey(tls.key, key));
  const pki::SigningFiles files = pki::SigningFilesIn(folder);
  RETURN_IF_ERROR(WritePem(files.certificate, certified.signing));
  RETURN_IF_ERROR(WriteKey(files.key, signing));
  RETURN_IF_ERROR(transport::WriteKitFile(KitOf(party, authority->project()), folder));
  if (party.role != Role::kSite) return Status();
  const Project& project = authority->project();
  RETURN_IF_ERROR(WriteFileAtomic(policy::PolicyFilesIn(folder).text,
                                  policy::SamplePolicy({.project = project.name,
                                                        .coordinator = project.coordinator_name,
                                                        .min_cohort = project.policy_min_cohort,
                                                        .approval = project.policy_approval,
                                                        .secure_aggregation = project.policy_secure})));
  return policy::SignPolicy(folder, party, signing);
}

Status MakeAll(const Project& project, const fs::path& folder, const KitOptions& options) {
  ASSIGN_OR_RETURN(Authority authority, Authority::Make(project, options.now));
  RETURN_IF_ERROR(MakePrivateFolder(folder / "ca"));
  std::vector<PeerName> parties = {{project.name, Role::kCoordinator, project.coordinator_name}};
  for (const SiteName& site : project.sites) parties.push_back({project.name, Role::kSite, site.value()});
  for (const OperatorSpec& spec : project.operators)
    parties.push_back({project.name, Role::kOperator, spec.name, spec.rights});
  for (const PeerName& party : parties)
    RETURN_IF_ERROR(MakeKit(party, &authority, options.now, KitFolder(folder, party.name)));
  RETURN_IF_ERROR(authority.SignRoster(options.now));
  RETURN_IF_ERROR(authority.Save(folder / "ca"));
  for (const PeerName& party : parties)
    RETURN_IF_ERROR(
        WriteFileAtomic(pki::SigningFilesIn(KitFolder(folder, party.name)).roster, authority.roster_text()));
  return Status();
}

}  // namespace

Kit KitOf(const PeerName& party, const Project& project) {
  Kit kit;
  kit.self = party;
  kit.coordinator_name = project.coordinator_name;
  kit.coordinator_host = project.host;
  kit.coordinator_port = project.port;
  kit.listen_address = project.listen_address;
  kit.sites = project.sites;
  std::sort(kit.sites.begin(), kit.sites.end());
  return kit;
}

fs::path KitFolder(const fs::path& kits, const std::string& party) { return kits / party; }

Status MakeKits(const Project& project, const fs::path& out, const KitOptions& options) {
  RETURN_IF_ERROR(CheckProject(project));
  const fs::path target = fs::absolute(out.lexically_normal().has_filename() ? out : out.parent_path());
  const auto taken = [&] {
    return AlreadyExists(target.string(),
                         " is not empty and is left as it is: new kits would come from a new authority, ",
                         "and every party would need its new one. Choose another folder with -o, or remove this one");
  };
  std::error_code error;
  if (fs::exists(target, error) && !fs::is_empty(target, error)) return taken();
  RETURN_IF_ERROR(MakeDirectories(target.parent_path()));
  std::string temporary = target.string() + ".XXXXXX";
  if (::mkdtemp(temporary.data()) == nullptr) return ErrnoStatus(errno, "creating folder " + temporary);
  Status status = MakeAll(project, temporary, options);
  // Onto an absent or empty folder only.
  if (status.ok() && ::rename(temporary.c_str(), target.c_str()) != 0)
    status = errno == ENOTEMPTY || errno == EEXIST ? taken() : ErrnoStatus(errno, "renaming onto " + target.string());
  if (!status.ok()) {
    fs::remove_all(temporary, error);
    return status;
  }
  return SyncDirectory(target.parent_path());
}

}  // namespace consilium::coordinator
