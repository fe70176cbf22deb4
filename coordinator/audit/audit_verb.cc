#include "coordinator/audit/audit_verb.h"

#include <filesystem>
#include <iostream>

#include "comm/base/time.h"
#include "comm/transport/kit.h"
#include "privacy/pki/signer.h"
#include "privacy/policy/audit_check.h"
#include "privacy/policy/audit_compare.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;
using policy::AuditFindings;

struct CheckedLog {
  fs::path file;
  AuditFindings findings;
};

// The log itself, or the one in a state folder or a kit.
StatusOr<fs::path> LogAt(const std::string& given) {
  std::error_code error;
  for (const fs::path& candidate :
       {fs::path(given), fs::path(given) / "audit.jsonl", fs::path(given) / "state" / "audit.jsonl"})
    if (fs::is_regular_file(candidate, error)) return candidate;
  return NotFound(given, " is no audit log, nor a state folder or kit that holds one (audit.jsonl)");
}

struct Verdict {
  std::vector<CheckedLog> logs;
  std::vector<std::string> forks;  // of logs that need not be here
};

// Each log alone first, then again with what the others say of it.
StatusOr<Verdict> CheckAll(const std::vector<std::string>& given) {
  std::vector<CheckedLog> logs;
  std::vector<AuditFindings> alone;
  for (const std::string& one : given) {
    ASSIGN_OR_RETURN(const fs::path file, LogAt(one));
    ASSIGN_OR_RETURN(AuditFindings findings, policy::CheckAuditFile(file, {}));
    alone.push_back(findings);
    logs.push_back({file, std::move(findings)});
  }
  for (CheckedLog& log : logs) {
    policy::AuditExpectations expectations;
    expectations.heads = policy::HeadsOf(log.findings.actor, alone);
    if (expectations.heads.empty()) continue;
    ASSIGN_OR_RETURN(log.findings, policy::CheckAuditFile(log.file, expectations));
  }
  for (CheckedLog& log : logs)
    for (std::string& contradiction : policy::ContradictionsOf(log.findings, alone))
      log.findings.faults.push_back(std::move(contradiction));
  return Verdict{std::move(logs), policy::ForksNoted(alone)};
}

// The newest signature must be by the key that the consortium's roster has for the log's writer.
void CheckSigner(const pki::Roster& roster, AuditFindings* findings) {
  if (findings->entries == 0) return;
  const pki::RosterEntry* entry = roster.Find(findings->actor);
  if (entry == nullptr)
    findings->faults.push_back(Concat("its writer '", findings->actor, "' is not on the roster"));
  else if (findings->newest_key && *findings->newest_key != entry->key)
    findings->faults.push_back(
        Concat("its newest checkpoint is signed with another key than the roster has for '", findings->actor, "'"));
}

Json ToJson(const CheckedLog& log) {
  const AuditFindings& findings = log.findings;
  return {{"log", log.file.string()},
          {"actor", findings.actor},
          {"holds", findings.faults.empty()},
          {"entries", findings.entries},
          {"signed_entries", findings.signed_entries},
          {"checkpoints", findings.checkpoints},
          {"head", findings.head.ToHex()},
          {"faults", findings.faults}};
}

void Print(const CheckedLog& log) {
  const AuditFindings& findings = log.findings;
  std::cout << (findings.faults.empty() ? "OK    " : "FAIL  ") << log.file.string() << ": " << findings.entries
            << " entries of '" << findings.actor << "', " << findings.signed_entries << " of them signed; head "
            << findings.head << "\n";
  for (const std::string& fault : findings.faults) std::cout << "      " << fault << "\n";
}

int VerifyVerb(const Arguments& arguments) {
  std::vector<std::string> given;
  std::string kit;
  Command command("consilium audit verify",
                  "Checks audit logs: that no entry was changed, taken out, put in or moved, that the signatures are "
                  "right, and that the logs do not contradict each other.  Give the logs of several parties at once: a "
                  "log that was cut short, or that exists in two versions, is found by what the others noted of it.",
                  "consilium audit verify kits/hospital-a kits/coordinator --kit kits/hospital-a");
  command.Positionals("LOG", &given, "audit.jsonl files, or the state folders or kits that hold them");
  command.Option("--kit", &kit, "any party's kit: its roster says whose key must have signed");
  bool all_hold = true;
  const int exit_code = command.Run(arguments, [&]() -> Status {
    if (given.empty()) return InvalidArgument("give at least one LOG: a file, a state folder or a kit");
    ASSIGN_OR_RETURN(Verdict verdict, CheckAll(given));
    std::vector<CheckedLog>& logs = verdict.logs;
    all_hold = verdict.forks.empty();
    if (!kit.empty()) {
      ASSIGN_OR_RETURN(const transport::Kit opened, transport::ReadKit(kit));
      ASSIGN_OR_RETURN(const pki::Trust trust, pki::LoadTrust(kit, opened.self, SystemClock().WallNow()));
      for (CheckedLog& log : logs) CheckSigner(trust.roster, &log.findings);
    }
    Json rows = Json::array();
    for (const CheckedLog& log : logs) {
      all_hold = all_hold && log.findings.faults.empty();
      rows.push_back(ToJson(log));
      if (!command.json()) Print(log);
    }
    if (command.json())
      return Command::PrintJson({{"holds", all_hold}, {"logs", rows}, {"forks", verdict.forks}}), Status();
    for (const std::string& fork : verdict.forks) std::cout << "FORK  " << fork << "\n";
    return Status();
  });
  // What was found is printed already; it is no error of the command.
  return exit_code == 0 && !all_hold ? static_cast<int>(ExitCode::kFailed) : exit_code;
}

const Verb kVerbs[] = {{"verify", "check that audit logs hold", VerifyVerb}};

}  // namespace

int AuditVerb(const Arguments& arguments) {
  std::vector<std::string> words = {"consilium audit"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return RunVerb("consilium audit", "What can be proven later.", kVerbs, static_cast<int>(words.size()), argv.data());
}

}  // namespace consilium::coordinator
