#include "client/enroll/enroll_verb.h"

#include <iostream>

#include "client/enroll/enroll.h"

namespace consilium::client {
namespace {

// Exactly one of the ways to use the command.
Status CheckOneWay(bool begin, bool renew, bool install, bool roster) {
  const int ways = int{begin} + int{renew} + int{install} + int{roster};
  if (ways == 1) return Status();
  return InvalidArgument(ways == 0 ? "say what to do: " : "say one thing at a time: ",
                         "an INVITATION to begin, --renew for new keys, --install ANSWER, or --roster FILE");
}

void SayWhatNext(const BegunEnrolment& begun, bool renewal) {
  std::cerr << "Made new keys; they stay here. Send " << begun.request.string()
            << " to the administrator of the consortium: nothing in it is secret.\n"
            << "  fingerprint of the request:    " << begun.fingerprint << "\n"
            << "  fingerprint of the authority:  " << begun.authority_fingerprint << "\n"
            << (renewal
                    ? "A renewal is signed by the key that is in use; read the first to the administrator only when "
                      "asked.\n"
                    : "Read both to each other on the telephone: you the first, the administrator the second. If "
                      "they differ, stop.\n")
            << "When the answer comes: consilium enroll --kit " << begun.request.parent_path().parent_path().string()
            << " --install ANSWER\n";
}

}  // namespace

int EnrollVerb(const Arguments& arguments) {
  std::string invitation, kit, answer, roster, authority;
  bool renew = false;
  Command command("consilium enroll",
                  "Makes this party's own keys and the request that the consortium's administrator signs; installs the "
                  "answer, and newer rosters.  No secret leaves the folder.",
                  "consilium enroll hospital-d.invitation.json --kit kit\n  "
                  "consilium enroll --kit kit --install answer.json\n  "
                  "consilium enroll --kit kit --renew\n  "
                  "consilium enroll --kit kit --roster roster.json");
  command.Positional("INVITATION", &invitation, "what the administrator sent", false);
  command.Option("--kit", &kit, "this party's folder; a new one with an INVITATION", true);
  command.Option("--authority", &authority,
                 "fingerprint of the authority, as the administrator read it out; another one is refused");
  command.Flag("--renew", &renew, "make new keys for a kit that has some; the old ones stay in use until the answer");
  command.Option("--install", &answer, "the administrator's answer");
  command.Option("--roster", &roster, "a newer roster");
  return command.Run(arguments, [&]() -> Status {
    RETURN_IF_ERROR(CheckOneWay(!invitation.empty(), renew, !answer.empty(), !roster.empty()));
    const auto now = std::chrono::system_clock::now();
    if (!answer.empty() || !roster.empty()) {
      RETURN_IF_ERROR(answer.empty() ? InstallRoster(kit, roster, now) : InstallAnswer(kit, answer, now));
      if (command.json()) Command::PrintJson({{"kit", kit}, {"installed", answer.empty() ? "roster" : "answer"}});
      std::cerr << "Installed. What runs with this kit takes it up when it is started again; look at it with\n"
                   "  consilium doctor --kit "
                << kit << "\n";
      return Status();
    }
    ASSIGN_OR_RETURN(const BegunEnrolment begun,
                     renew ? BeginRenewal(kit, now) : BeginEnrolment(invitation, kit, authority));
    if (command.json())
      Command::PrintJson({{"request", begun.request.string()},
                          {"fingerprint", begun.fingerprint},
                          {"authority_fingerprint", begun.authority_fingerprint}});
    SayWhatNext(begun, renew);
    return Status();
  });
}

}  // namespace consilium::client
