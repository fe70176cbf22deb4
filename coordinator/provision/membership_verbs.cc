#include "coordinator/provision/membership_verbs.h"

#include <iostream>

#include "comm/base/file.h"
#include "coordinator/provision/authority.h"
#include "coordinator/provision/provision.h"
#include "privacy/pki/enrolment.h"
#include "privacy/pki/signer.h"
#include "privacy/pki/utc.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;
using crypto::WallTime;

WallTime Now() { return std::chrono::system_clock::now(); }

// The party of this name and role; an operator may do what project.json says.
StatusOr<transport::PeerName> PartyFor(const Project& project, const std::string& role, const std::string& name) {
  transport::PeerName party{project.name, {}, name, {}};
  ASSIGN_OR_RETURN(party.role, transport::RoleFromName(role));
  if (!IsValidName(name)) return InvalidArgument("'", name.substr(0, 80), "' is not a name: 1 to 63 of a-z, 0-9 and -");
  if (party.role == transport::Role::kCoordinator && name != project.coordinator_name)
    return InvalidArgument("the coordinator of this project is '", project.coordinator_name, "'");
  if (party.role != transport::Role::kOperator) return party;
  for (const OperatorSpec& spec : project.operators)
    if (spec.name == name) party.rights = spec.rights;
  if (party.rights.empty())
    return InvalidArgument("what the operator '", name,
                           "' may do is not known: add it to operators in ca/project.json");
  return party;
}

// One name, one party: a site cannot become the coordinator by asking.
Status CheckNotAnother(const pki::RosterContents& roster, const transport::PeerName& party) {
  for (const pki::RosterEntry& entry : roster.parties)
    if (entry.name == party.name && entry.role != party.role)
      return InvalidArgument("'", party.name, "' is the name of the ", transport::RoleName(entry.role),
                             " already; the ", transport::RoleName(party.role), " needs another");
  return Status();
}

// Whose keys these are: proven by the current key, or by two people who compared the fingerprint.
Status CheckWhoseRequest(const pki::EnrolmentRequest& request, const pki::RosterContents& roster,
                         const std::string& fingerprint, WallTime now) {
  const std::string own = pki::FingerprintOf(request);
  if (!fingerprint.empty()) {
    if (pki::SameFingerprint(fingerprint, own)) return Status();
    return Unauthenticated("the request has another fingerprint than ", fingerprint.substr(0, 80),
                           ": it is not the file that the person you spoke to made");
  }
  if (request.by_current_key) {
    for (const pki::RosterEntry& entry : roster.parties)
      if (entry.name == request.name && now <= entry.not_after &&
          crypto::Verify(entry.key, pki::CanonicalBytes(request), *request.by_current_key))
        return Status();
    return Unauthenticated("the renewal is not signed by the key that the roster has for '", request.name,
                           "'; ask the site for the fingerprint, and give it with --fingerprint");
  }
  // Not printed here: whoever copies it from this screen has compared nothing.
  return InvalidArgument("nothing proves that '", request.name, "' made this request. Call a person at '", request.name,
                         "' on a number that you know, let them read the fingerprint to you that `consilium enroll` ",
                         "showed there, and give what they read with --fingerprint");
}

void SayWhatToDoWithRoster(const fs::path& ca) {
  std::cerr << "Give the new " << (ca / "roster.json").string()
            << " to every party, the coordinator first; each installs it with\n"
               "  consilium enroll --kit KIT --roster roster.json\n";
}

}  // namespace

int InviteVerb(const Arguments& arguments) {
  std::string name, ca, out, role = "site";
  Command command("consilium provision invite",
                  "Writes the invitation for a party that makes its own keys: nothing in it is secret.",
                  "consilium provision invite hospital-d --ca kits/ca -o hospital-d.invitation.json");
  command.Positional("NAME", &name, "the new party's name");
  command.Option("--ca", &ca, "the authority's folder, made by consilium provision", true);
  command.Option("--role", &role, "site, operator or coordinator");
  command.Option("--output,-o", &out, "file to write", true);
  return command.Run(arguments, [&]() -> Status {
    ASSIGN_OR_RETURN(const Authority authority, Authority::Open(ca, Now()));
    const Project& project = authority.project();
    ASSIGN_OR_RETURN(const transport::PeerName party, PartyFor(project, role, name));
    RETURN_IF_ERROR(CheckNotAnother(authority.roster(), party));
    ASSIGN_OR_RETURN(const std::string pem, authority.certificate().ToPem());
    RETURN_IF_ERROR(WriteJson(out, pki::ToJson(pki::Invitation{.self = party,
                                                               .coordinator_name = project.coordinator_name,
                                                               .coordinator_host = project.host,
                                                               .coordinator_port = project.port,
                                                               .authority_pem = pem})));
    const std::string fingerprint = pki::FingerprintOf(authority.certificate());
    if (command.json()) Command::PrintJson({{"invitation", out}, {"authority_fingerprint", fingerprint}});
    std::cerr << "Wrote " << out << ". At '" << name << "' somebody runs\n  consilium enroll "
              << fs::path(out).filename().string()
              << " --kit KIT\nand compares the authority's fingerprint with you:\n  " << fingerprint << "\n";
    return Status();
  });
}

int SignVerb(const Arguments& arguments) {
  std::string file, ca, out, fingerprint;
  Command command(
      "consilium provision sign",
      "Certifies the two keys in a request that `consilium enroll` made at a party, and puts it on the roster. "
      " A first request needs the fingerprint that a person there reads to you; a renewal is signed by the "
      "key that the roster knows.",
      "consilium provision sign request.json --ca kits/ca --fingerprint '3f2a 91bc ...' -o answer.json");
  command.Positional("REQUEST", &file, "the request");
  command.Option("--ca", &ca, "the authority's folder", true);
  command.Option("--fingerprint", &fingerprint, "what a person at the party read to you; not needed for a renewal");
  command.Option("--output,-o", &out, "the answer, for the party", true);
  return command.Run(arguments, [&]() -> Status {
    const WallTime now = Now();
    ASSIGN_OR_RETURN(Authority authority, Authority::Open(ca, now));
    ASSIGN_OR_RETURN(const pki::EnrolmentRequest request, pki::ReadRequest(file));
    if (request.project != authority.project().name)
      return InvalidArgument(file, " is for project '", request.project, "'; this is the authority of '",
                             authority.project().name, "'");
    ASSIGN_OR_RETURN(const transport::PeerName party, PartyFor(authority.project(), request.role, request.name));
    RETURN_IF_ERROR(CheckNotAnother(authority.roster(), party));
    const StatusOr<pki::RequestedKeys> keys = pki::KeysOf(request);
    if (!keys.ok()) return Annotate(keys.status(), file);
    RETURN_IF_ERROR(CheckWhoseRequest(request, authority.roster(), fingerprint, now));
    ASSIGN_OR_RETURN(const Authority::Certified certified, authority.Certify(party, keys->tls, keys->signing, now));
    RETURN_IF_ERROR(authority.SignRoster(now));
    RETURN_IF_ERROR(authority.Save(ca));
    pki::EnrolmentAnswer answer{.name = request.name, .roster = authority.roster_text()};
    ASSIGN_OR_RETURN(answer.tls_pem, certified.tls.ToPem());
    ASSIGN_OR_RETURN(answer.signing_pem, certified.signing.ToPem());
    RETURN_IF_ERROR(WriteJson(out, pki::ToJson(answer)));
    if (command.json()) Command::PrintJson({{"answer", out}, {"roster_serial", authority.roster().serial}});
    std::cerr << "'" << request.name << "' is on the roster (serial " << authority.roster().serial << ") until "
              << pki::FormatSecond(certified.signing.not_after()) << ".\nSend " << out
              << " back; nothing in it is secret. There:\n  consilium enroll --kit KIT --install "
              << fs::path(out).filename().string() << "\n";
    SayWhatToDoWithRoster(ca);
    return Status();
  });
}

int RevokeVerb(const Arguments& arguments) {
  std::string name, ca, reason;
  Command command("consilium provision revoke",
                  "Takes a party off the roster and revokes every certificate it has: for a stolen key, or a site that "
                  "leaves.  It comes back with a new request and a fingerprint.",
                  "consilium provision revoke hospital-b --ca kits/ca --reason 'laptop stolen'");
  command.Positional("NAME", &name, "the party");
  command.Option("--ca", &ca, "the authority's folder", true);
  command.Option("--reason", &reason, "shown to everybody who meets the certificate", true);
  return command.Run(arguments, [&]() -> Status {
    const WallTime now = Now();
    ASSIGN_OR_RETURN(Authority authority, Authority::Open(ca, now));
    ASSIGN_OR_RETURN(const std::size_t count, authority.Revoke(name, reason, now));
    RETURN_IF_ERROR(authority.SignRoster(now));
    RETURN_IF_ERROR(authority.Save(ca));
    if (command.json()) Command::PrintJson({{"revoked", count}, {"roster_serial", authority.roster().serial}});
    std::cerr << "Revoked " << count << " certificates of '" << name << "' (roster serial " << authority.roster().serial
              << ").\n";
    SayWhatToDoWithRoster(ca);
    return Status();
  });
}

int RosterVerb(const Arguments& arguments) {
  std::string ca;
  bool renew = false;
  Command command("consilium provision roster",
                  "Shows who is on the roster and until when; with --renew signs it anew.",
                  "consilium provision roster --ca kits/ca");
  command.Option("--ca", &ca, "the authority's folder", true);
  command.Flag("--renew", &renew, "sign the next roster, of the same parties, with a new end");
  return command.Run(arguments, [&]() -> Status {
    const WallTime now = Now();
    ASSIGN_OR_RETURN(Authority authority, Authority::Open(ca, now));
    if (renew) {
      RETURN_IF_ERROR(authority.SignRoster(now));
      RETURN_IF_ERROR(authority.Save(ca));
    }
    if (command.json()) {
      ASSIGN_OR_RETURN(const Json json, ParseJson(authority.roster_text(), "roster.json"));
      Command::PrintJson(json);
      return Status();
    }
    const pki::RosterContents& roster = authority.roster();
    std::cout << "roster " << roster.serial << " of project '" << roster.project << "', until "
              << pki::FormatSecond(roster.expires) << "\n";
    for (const pki::RosterEntry& entry : roster.parties)
      std::cout << "  " << entry.name << "  " << transport::RoleName(entry.role) << "  until "
                << pki::FormatSecond(entry.not_after) << " (" << pki::DaysUntil(entry.not_after, now) << " days)\n";
    for (const pki::Revocation& revoked : roster.revoked)
      std::cout << "  revoked: " << revoked.certificate << " of " << revoked.name << " on "
                << pki::FormatSecond(revoked.when) << ": " << revoked.reason << "\n";
    if (renew) SayWhatToDoWithRoster(ca);
    return Status();
  });
}

}  // namespace consilium::coordinator
