#include "privacy/pki/roster.h"

#include <algorithm>

#include "comm/base/file.h"
#include "privacy/pki/roster_text.h"
#include "privacy/pki/utc.h"

namespace consilium::pki {
namespace {

constexpr std::size_t kRosterBytesMax = std::size_t{16} << 20;  // 300 bytes a party

bool IsSerial(const std::string& text) {
  return !text.empty() && text.size() <= 40 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Sorted, and every name what it should be.
Status Check(const RosterContents& contents) {
  if (!IsValidName(contents.project)) return InvalidArgument("a roster's project is not a name");
  for (std::size_t i = 0; i < contents.parties.size(); ++i) {
    const RosterEntry& party = contents.parties[i];
    if (!IsValidName(party.name) || !IsSerial(party.certificate))
      return InvalidArgument("a roster's party '", party.name.substr(0, 80), "' has no valid name or certificate");
    if (i > 0 && contents.parties[i - 1].name >= party.name)
      return InvalidArgument("a roster's parties must be in name order, each once; '", party.name, "' is not");
  }
  for (std::size_t i = 0; i < contents.revoked.size(); ++i) {
    if (!IsSerial(contents.revoked[i].certificate))
      return InvalidArgument("a revoked certificate has no serial number");
    if (i > 0 && contents.revoked[i - 1].certificate >= contents.revoked[i].certificate)
      return InvalidArgument("a roster's revoked certificates must be in order, each once; ",
                             contents.revoked[i].certificate, " is not");
  }
  return Status();
}

void Normalize(RosterContents* contents) {
  contents->issued = FloorToSecond(contents->issued);
  contents->expires = FloorToSecond(contents->expires);
  for (RosterEntry& party : contents->parties) party.not_after = FloorToSecond(party.not_after);
  for (Revocation& revoked : contents->revoked) revoked.when = FloorToSecond(revoked.when);
  std::sort(contents->parties.begin(), contents->parties.end(),
            [](const RosterEntry& a, const RosterEntry& b) { return a.name < b.name; });
  std::sort(contents->revoked.begin(), contents->revoked.end(),
            [](const Revocation& a, const Revocation& b) { return a.certificate < b.certificate; });
}

}  // namespace

Bytes CanonicalBytes(const RosterContents& contents) {
  ByteWriter writer;
  writer.PutString("consilium roster 1");
  writer.PutString(contents.project);
  writer.Put(contents.serial);
  writer.Put(UnixSeconds(contents.issued));
  writer.Put(UnixSeconds(contents.expires));
  writer.Put(static_cast<std::uint32_t>(contents.parties.size()));
  for (const RosterEntry& party : contents.parties) {
    writer.PutString(party.name);
    writer.PutString(transport::RoleName(party.role));
    writer.PutRaw(party.key);
    writer.PutString(party.certificate);
    writer.Put(UnixSeconds(party.not_after));
  }
  writer.Put(static_cast<std::uint32_t>(contents.revoked.size()));
  for (const Revocation& revoked : contents.revoked) {
    writer.PutString(revoked.certificate);
    writer.PutString(revoked.name);
    writer.PutString(revoked.reason);
    writer.Put(UnixSeconds(revoked.when));
  }
  return std::move(writer).Take();
}

StatusOr<Roster> Roster::Sign(RosterContents contents, const crypto::PrivateKey& authority_key) {
  Roster roster;
  Normalize(&contents);
  RETURN_IF_ERROR(Check(contents));
  roster.contents_ = std::move(contents);
  const Bytes bytes = CanonicalBytes(roster.contents_);
  ASSIGN_OR_RETURN(roster.signature_, authority_key.Sign(bytes));
  roster.digest_ = Sha256Of(bytes);
  return roster;
}

StatusOr<Roster> Roster::Verify(const std::string& text, const crypto::Certificate& authority, WallTime now,
                                const std::string& where) {
  Roster roster;
  ASSIGN_OR_RETURN(RosterText parsed, ParseRosterText(text, where));
  RETURN_IF_ERROR(Annotate(Check(parsed.contents), where));
  roster.contents_ = std::move(parsed.contents);
  roster.signature_ = std::move(parsed.signature);
  const Bytes bytes = CanonicalBytes(roster.contents_);
  roster.digest_ = Sha256Of(bytes);
  if (!authority.HasUse(crypto::CertificateUse::kAuthority))
    return Unauthenticated("the certificate (", authority.subject(), ") that is to vouch for the roster ", where,
                           " is no authority's");
  if (!authority.public_key().Verify(bytes, roster.signature_))
    return Unauthenticated("the roster ", where, " is not signed by the authority '", authority.subject(),
                           "': it was changed, or is of another project; get it again from whoever runs `consilium "
                           "provision`");
  if (now > roster.contents_.expires)
    return Unauthenticated("the roster ", where, " (serial ", roster.serial(), ") expired on ",
                           FormatSecond(roster.contents_.expires), "; the clock here says ", FormatSecond(now),
                           ". Get a newer one from whoever runs `consilium provision`");
  return roster;
}

StatusOr<Roster> Roster::Read(const std::filesystem::path& file, const crypto::Certificate& authority, WallTime now) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kRosterBytesMax));
  return Verify(text, authority, now, file.string());
}

std::string Roster::ToText() const { return FormatRosterText(contents_, signature_); }

const RosterEntry* Roster::Find(const std::string& name) const {
  for (const RosterEntry& party : contents_.parties)
    if (party.name == name) return &party;
  return nullptr;
}

std::vector<SiteName> Roster::sites() const {
  std::vector<SiteName> sites;
  for (const RosterEntry& party : contents_.parties)
    if (party.role == transport::Role::kSite) sites.emplace_back(party.name);
  return sites;
}

const Revocation* Roster::FindRevoked(const std::string& certificate_serial) const {
  for (const Revocation& revoked : contents_.revoked)
    if (revoked.certificate == certificate_serial) return &revoked;
  return nullptr;
}

StatusOr<crypto::RawPublicKey> Roster::KeyOf(const SiteName& site, WallTime now) const {
  const RosterEntry* entry = Find(site.value());
  if (entry == nullptr || entry->role != transport::Role::kSite)
    return PermissionDenied("there is no site '", site.value().substr(0, 80), "' in the roster (serial ", serial(),
                            ")");
  if (const Revocation* revoked = FindRevoked(entry->certificate))
    return PermissionDenied("the signing certificate of '", site, "' was revoked on ", FormatSecond(revoked->when),
                            ": ", revoked->reason);
  if (now > entry->not_after)
    return PermissionDenied("the signing certificate of '", site, "' expired on ", FormatSecond(entry->not_after));
  return entry->key;
}

}  // namespace consilium::pki
