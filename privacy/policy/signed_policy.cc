#include "privacy/policy/signed_policy.h"

#include <algorithm>

#include "comm/base/file.h"

namespace consilium::policy {
namespace {

namespace fs = std::filesystem;

constexpr char kOfficer[] = "officer";
constexpr std::size_t kPolicyBytesMax = 1 << 20;

struct Wanted {
  std::string signer;
  crypto::RawPublicKey key;
};

// Who must have signed.
StatusOr<Wanted> WantedSigner(const PolicyFiles& files, const transport::PeerName& site,
                              const crypto::RawPublicKey& own) {
  std::error_code error;
  if (!fs::exists(files.officer, error)) return Wanted{site.name, own};
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(files.officer, kPolicyBytesMax));
  const StatusOr<crypto::PublicKey> key = crypto::PublicKey::FromPem(pem);
  if (!key.ok()) return Annotate(key.status(), files.officer.string());
  const StatusOr<crypto::RawPublicKey> raw = key->Raw();
  if (!raw.ok()) return Annotate(raw.status(), files.officer.string());
  return Wanted{kOfficer, *raw};
}

Status CheckProject(const SitePolicy& policy, const transport::PeerName& site, const fs::path& file) {
  if (policy.project == site.project) return Status();
  return InvalidArgument(file.string(), ": project: the policy is for '", policy.project, "', this kit is of '",
                         site.project, "'");
}

}  // namespace

PolicyFiles PolicyFilesIn(const fs::path& kit_folder) {
  return {kit_folder / "policy.yaml", kit_folder / "policy.sig", kit_folder / "officer.pem"};
}

Bytes PolicyBytes(const transport::PeerName& site, const std::string& text) {
  ByteWriter writer;
  writer.PutString("consilium site policy 1");
  writer.PutString(site.project);
  writer.PutString(site.name);
  writer.PutRaw(Sha256Of(text).bytes);
  return std::move(writer).Take();
}

Status SignPolicy(const fs::path& kit_folder, const transport::PeerName& site, const crypto::SigningKey& key) {
  const PolicyFiles files = PolicyFilesIn(kit_folder);
  ASSIGN_OR_RETURN(const std::string text, ReadFile(files.text, kPolicyBytesMax));
  ASSIGN_OR_RETURN(const SitePolicy policy, ParsePolicy(text, files.text.string()));
  RETURN_IF_ERROR(CheckProject(policy, site, files.text));
  ASSIGN_OR_RETURN(const Wanted wanted, WantedSigner(files, site, key.public_key()));
  if (wanted.key != key.public_key())
    return PermissionDenied("this site's policy must be signed by the officer whose key is in ", files.officer.string(),
                            "; give that person's key with --key");
  return WriteJson(files.signature,
                   {{"signer", wanted.signer}, {"signature", ToHex(key.Sign(PolicyBytes(site, text)))}});
}

StatusOr<SignedPolicy> LoadPolicy(const fs::path& kit_folder, const transport::PeerName& site,
                                  const crypto::RawPublicKey& own) {
  const PolicyFiles files = PolicyFilesIn(kit_folder);
  const std::string kit = kit_folder.string();
  std::error_code error;
  if (!fs::exists(files.text, error))
    return NotFound(kit, " has no policy.yaml, so nothing is allowed; begin with `consilium site policy --init --kit ",
                    kit, "`, read what it writes, and sign it with --sign");
  ASSIGN_OR_RETURN(const std::string text, ReadFile(files.text, kPolicyBytesMax));
  const std::string mend = Concat("; read it, then sign it with `consilium site policy --sign --kit ", kit, "`");
  if (!fs::exists(files.signature, error)) return Unauthenticated(files.text.string(), " is not signed", mend);
  ASSIGN_OR_RETURN(const Json json, ReadJson(files.signature));
  ASSIGN_OR_RETURN(const Wanted wanted, WantedSigner(files, site, own));
  const std::string signer = json.is_object() && json.contains("signer") && json["signer"].is_string()
                                 ? json["signer"].get<std::string>()
                                 : "";
  const StatusOr<Bytes> bytes = json.is_object() && json.contains("signature") && json["signature"].is_string()
                                    ? FromHex(json["signature"].get<std::string>())
                                    : StatusOr<Bytes>(InvalidArgument("none"));
  crypto::Signature signature;
  if (!bytes.ok() || bytes->size() != signature.size())
    return Unauthenticated(files.signature.string(), " has no signature", mend);
  std::copy(bytes->begin(), bytes->end(), signature.begin());
  if (!crypto::Verify(wanted.key, PolicyBytes(site, text), signature))
    return Unauthenticated(files.text.string(), " was changed since it was signed, or was signed by ",
                           signer == wanted.signer ? "another key" : "'" + signer.substr(0, 80) + "'", " and not by ",
                           wanted.signer == kOfficer ? "this site's officer" : "this site's key", mend);
  SignedPolicy loaded{.digest = Sha256Of(text), .signer = wanted.signer};
  ASSIGN_OR_RETURN(loaded.policy, ParsePolicy(text, files.text.string()));
  RETURN_IF_ERROR(CheckProject(loaded.policy, site, files.text));
  return loaded;
}

}  // namespace consilium::policy
