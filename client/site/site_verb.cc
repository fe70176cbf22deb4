#include "client/site/site_verb.h"

#include <pwd.h>
#include <unistd.h>

#include <iostream>

#include "client/site/site_folder.h"
#include "comm/base/file.h"
#include "comm/base/time.h"
#include "comm/transport/kit.h"
#include "privacy/pki/signer.h"
#include "privacy/policy/release_ledger.h"
#include "privacy/policy/signed_policy.h"

namespace consilium::client {
namespace {

namespace fs = std::filesystem;

struct Place {
  std::string kit, state;
  transport::Kit opened;

  void Declare(Command* command) {
    command->Option("--kit", &kit, "this site's kit", true);
    command->Option("--state", &state, "the client's state folder (default: KIT/state), as for consilium client");
  }
  Status Open() {
    ASSIGN_OR_RETURN(opened, transport::ReadKit(kit, transport::Role::kSite));
    if (state.empty()) state = (fs::path(kit) / "state").string();
    return Status();
  }
  SiteFolder folder() const { return SiteFolder(state); }
};

// Who sits here: the name goes into the audit log beside the decision.
std::string WhoAmI() {
  const passwd* user = ::getpwuid(::getuid());
  return user == nullptr ? Concat("uid ", ::getuid()) : std::string(user->pw_name);
}

Json ToJson(const std::string& name, const SeenJob& job, const Decisions& decisions) {
  Json json = {{"job", name},
               {"stand", job.stand},
               {"code", job.code},
               {"why", job.sentence},
               {"digest", job.digest.ToHex()},
               {"coordinator", job.coordinator},
               {"dataset", job.dataset},
               {"architecture", job.architecture},
               {"rounds", job.rounds},
               {"cohort_min", job.cohort_min},
               {"first_seen", job.first_seen}};
  const auto decision = decisions.find(name);
  if (decision == decisions.end()) return json;
  const bool approved = decision->second.decision == policy::Decision::kApproved;
  json["decision"] = {{"decision", approved ? "approved" : "refused"},
                      {"by", decision->second.by},
                      {"when", decision->second.when},
                      {"reason", decision->second.reason},
                      {"these_contents", decision->second.digest == job.digest}};
  return json;
}

void Print(const Json& job) {
  std::cout << job["job"].get<std::string>() << "  " << job["stand"].get<std::string>();
  if (const auto code = job["code"].get<std::string>(); !code.empty())
    std::cout << " [" << code << "]: " << job["why"].get<std::string>();
  std::cout << "\n    data set " << job["dataset"].get<std::string>() << ", " << job["architecture"].get<std::string>()
            << ", " << job["rounds"] << " rounds, averaged over at least "
            << (job["cohort_min"] == 0 ? std::string("all") : job["cohort_min"].dump()) << " sites; led by "
            << job["coordinator"].get<std::string>() << ", first seen " << job["first_seen"].get<std::string>()
            << "\n    digest " << job["digest"].get<std::string>() << "\n";
  if (!job.contains("decision")) return;
  const Json& decision = job["decision"];
  std::cout << "    " << decision["decision"].get<std::string>() << " by " << decision["by"].get<std::string>()
            << " on " << decision["when"].get<std::string>();
  if (const auto reason = decision["reason"].get<std::string>(); !reason.empty()) std::cout << ": " << reason;
  std::cout << (decision["these_contents"] ? "" : " (for other contents than it has now)") << "\n";
}

int JobsVerb(const Arguments& arguments) {
  Place place;
  Command command("consilium site jobs", "The jobs that asked for work at this site, and what became of them.",
                  "consilium site jobs --kit kits/hospital-a");
  place.Declare(&command);
  return command.Run(arguments, [&]() -> Status {
    RETURN_IF_ERROR(place.Open());
    ASSIGN_OR_RETURN(const SeenJobs jobs, place.folder().ReadJobs());
    ASSIGN_OR_RETURN(const Decisions decisions, place.folder().ReadDecisions());
    Json rows = Json::array();
    for (const auto& [name, job] : jobs) rows.push_back(ToJson(name, job, decisions));
    if (command.json()) {
      Command::PrintJson({{"jobs", rows}});
      return Status();
    }
    for (const Json& row : rows) Print(row);
    if (rows.empty()) std::cerr << "No job has asked for work here yet (" << place.state << ").\n";
    return Status();
  });
}

int DecideVerb(const Arguments& arguments, policy::Decision decision) {
  const bool approve = decision == policy::Decision::kApproved;
  Place place;
  std::string job, reason, digest;
  Command command(approve ? "consilium site approve" : "consilium site refuse",
                  approve
                      ? "Lets a job that waits for a person run, with exactly the contents that it has now: a job that "
                        "comes back changed waits again."
                      : "Refuses every task of a job from now on, whatever its contents.",
                  approve ? "consilium site approve hippocampus --kit kits/hospital-a"
                          : "consilium site refuse hippocampus --kit kits/hospital-a --reason 'ethics vote pending'");
  command.Positional("JOB", &job, "the job's name, as consilium site jobs shows it");
  place.Declare(&command);
  command.Option("--reason", &reason, "noted in the audit log");
  if (approve) command.Option("--digest", &digest, "approve only when the job's digest is this one");
  return command.Run(arguments, [&]() -> Status {
    RETURN_IF_ERROR(place.Open());
    const SiteFolder folder = place.folder();
    ASSIGN_OR_RETURN(const SeenJobs jobs, folder.ReadJobs());
    const auto seen = jobs.find(job);
    if (approve && seen == jobs.end()) {
      std::string known;
      for (const auto& [name, entry] : jobs) known += (known.empty() ? "" : ", ") + name;
      return NotFound("no job '", job, "' has asked for work here; ", known.empty() ? "none has" : "known: " + known,
                      ". An approval is for contents that somebody could look at");
    }
    if (!digest.empty() && (seen == jobs.end() || seen->second.digest.ToHex() != digest))
      return FailedPrecondition("the job's digest is ", seen->second.digest, ", not ", digest.substr(0, 80),
                                ": it is not what you looked at");
    RETURN_IF_ERROR(folder.Make());
    ASSIGN_OR_RETURN(Decisions decisions, folder.ReadDecisions());
    decisions[job] = {.digest = seen == jobs.end() ? Digest() : seen->second.digest,
                      .decision = decision,
                      .by = WhoAmI(),
                      .when = FormatUtc(SystemClock().WallNow()),
                      .reason = reason};
    RETURN_IF_ERROR(folder.WriteDecisions(decisions));
    if (command.json()) Command::PrintJson({{"job", job}, {"decision", approve ? "approved" : "refused"}});
    std::cerr << (approve ? "Approved" : "Refused") << " '" << job << "'. A running client takes it up with the next "
              << "task" << (approve ? ", within seconds if the job waits for you.\n" : ".\n");
    return Status();
  });
}

// The officer's key from a file, else the site's own.
StatusOr<crypto::SigningKey> SigningKeyFor(const Place& place, const std::string& key_file) {
  const fs::path file = key_file.empty() ? pki::SigningFilesIn(place.kit).key : fs::path(key_file);
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(file, 1 << 20));
  StatusOr<crypto::SigningKey> key = crypto::SigningKey::FromPem(SecretBytes(Bytes(pem.begin(), pem.end())));
  if (!key.ok()) return Annotate(key.status(), file.string());
  return key;
}

Status InitPolicy(const Place& place) {
  const fs::path file = policy::PolicyFilesIn(place.kit).text;
  std::error_code error;
  if (fs::exists(file, error))
    return AlreadyExists(file.string(), " is there already; edit it, then run consilium site policy --sign");
  RETURN_IF_ERROR(WriteFileAtomic(file, policy::SamplePolicy({.project = place.opened.self.project,
                                                              .coordinator = place.opened.coordinator_name,
                                                              .approval = policy::Approval::kManual})));
  std::cerr << "Wrote " << file.string() << ". It counts once it is signed: read it, narrow it, then run\n"
            << "  consilium site policy --sign --kit " << place.kit << "\n";
  return Status();
}

Status ShowPolicy(const Place& place, const Command& command) {
  const transport::PeerName& self = place.opened.self;
  ASSIGN_OR_RETURN(const pki::Trust trust, pki::LoadTrust(place.kit, self, SystemClock().WallNow()));
  ASSIGN_OR_RETURN(const policy::SignedPolicy loaded,
                   policy::LoadPolicy(place.kit, self, trust.signer.key().public_key()));
  Json spent = Json::object();
  std::error_code error;
  const fs::path releases = place.folder().releases();
  if (fs::exists(releases, error)) {
    ASSIGN_OR_RETURN(const policy::Spent counts, policy::ReadSpent(releases));
    for (const auto& [dataset, count] : counts)
      spent[dataset] = {{"rounds", count.rounds}, {"releases", count.releases}};
  }
  if (command.json()) {
    Command::PrintJson({{"digest", loaded.digest.ToHex()}, {"signer", loaded.signer}, {"spent", spent}});
    return Status();
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(policy::PolicyFilesIn(place.kit).text));
  std::cout << text << "\n# In force: signed by " << loaded.signer << ", digest " << loaded.digest << "\n";
  for (const auto& [dataset, count] : spent.items())
    std::cout << "# Spent on " << dataset << ": " << count["rounds"] << " of " << loaded.policy.rounds_max
              << " rounds, " << count["releases"] << " of " << loaded.policy.releases_max << " releases\n";
  return Status();
}

int PolicyVerb(const Arguments& arguments) {
  Place place;
  bool init = false, sign = false;
  std::string key;
  Command command(
      "consilium site policy",
      "Shows the policy that is in force and what of it is spent, or why none is; --init writes a sample to "
      "begin with, --sign puts the text in KIT/policy.yaml in force.",
      "consilium site policy --kit kits/hospital-a\n  "
      "consilium site policy --kit kits/hospital-a --sign");
  place.Declare(&command);
  command.Flag("--init", &init, "write a sample policy.yaml in which each job needs an approval");
  command.Flag("--sign", &sign, "check policy.yaml and sign it");
  command.Option("--key", &key, "with --sign: the officer's Ed25519 key, where KIT/officer.pem asks for one");
  return command.Run(arguments, [&]() -> Status {
    RETURN_IF_ERROR(place.Open());
    if (init && sign) return InvalidArgument("--init and --sign: read what --init writes before you sign it");
    if (!key.empty() && !sign) return InvalidArgument("--key is for --sign");
    if (init) return InitPolicy(place);
    if (!sign) return ShowPolicy(place, command);
    ASSIGN_OR_RETURN(const crypto::SigningKey signing, SigningKeyFor(place, key));
    RETURN_IF_ERROR(policy::SignPolicy(place.kit, place.opened.self, signing));
    std::cerr << "Signed. A running client takes it up with the next task.\n";
    return Status();
  });
}

const Verb kVerbs[] = {
    {"jobs", "the jobs that asked for work here", JobsVerb},
    {"approve", "let a job that waits run",
     [](const Arguments& arguments) { return DecideVerb(arguments, policy::Decision::kApproved); }},
    {"refuse", "refuse a job",
     [](const Arguments& arguments) { return DecideVerb(arguments, policy::Decision::kRefused); }},
    {"policy", "show, begin or sign this site's policy", PolicyVerb},
};

}  // namespace

int SiteVerb(const Arguments& arguments) {
  std::vector<std::string> words = {"consilium site"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return RunVerb("consilium site", "What a person at the site sees and decides.", kVerbs,
                 static_cast<int>(words.size()), argv.data());
}

}  // namespace consilium::client
