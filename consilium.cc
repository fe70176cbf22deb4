// The front door: every command by one name.  Control verbs run here; data verbs replace this process by
// consilium-trainer, so that mpirun's environment, signals and exit codes reach it untouched.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <vector>

#include "client/enroll/enroll_verb.h"
#include "client/service/client_verb.h"
#include "client/site/site_verb.h"
#include "comm/base/command.h"
#include "comm/base/secret.h"
#include "comm/base/subprocess.h"
#include "coordinator/audit/audit_verb.h"
#include "coordinator/doctor/doctor.h"
#include "coordinator/operator/operator_verbs.h"
#include "coordinator/provision/provision_verb.h"
#include "coordinator/service/coordinator_verb.h"
#include "deploy/demo/demo.h"

namespace consilium {
namespace {

// Becomes `consilium-trainer VERB arguments...`; returns only when that cannot be.
int BecomeTrainer(const std::string& verb, const Arguments& arguments) {
  const StatusOr<std::filesystem::path> program = FindProgram("consilium-trainer");
  if (!program.ok()) {
    std::cerr << "consilium " << verb << ": " << program.status().message() << "\n";
    return static_cast<int>(ExitCode::kBadInput);
  }
  std::vector<std::string> words = {program->string(), verb};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(program->c_str(), argv.data());
  std::cerr << "consilium " << verb << ": starting " << program->string() << ": " << std::strerror(errno) << "\n";
  return static_cast<int>(ExitCode::kFailed);
}

Verb DataVerb(const std::string& name, const std::string& summary) {
  return {name, summary, [name](const Arguments& arguments) { return BecomeTrainer(name, arguments); }};
}

// Handles private keys or the secrets of sums: its memory goes into no core dump.
Verb KeyVerb(const std::string& name, const std::string& summary, int (*run)(const Arguments&)) {
  return {name, summary, [run](const Arguments& arguments) {
            ForbidCoreDumps();
            return run(arguments);
          }};
}

// In the plan, not in this build: said so, instead of "unknown verb".
Verb Later(const std::string& name, const std::string& instead) {
  return {name, "not built yet", [name, instead](const Arguments&) {
            std::cerr << "consilium " << name << ": known, not built yet; " << instead << "\n";
            return static_cast<int>(ExitCodeFor(Unimplemented(name)));
          }};
}

const Verb kVerbs[] = {
    {"demo", "three hospitals on this machine train one U-Net on real MRI, over mutual TLS", demo::DemoVerb},
    {"doctor", "what is installed and whether it is fit, one line per finding, with the mend",
     coordinator::ControlDoctorVerb},
    KeyVerb("provision", "make a project's certificate authority and one kit per party", coordinator::ProvisionVerb),
    KeyVerb("enroll", "make this party's own keys, and install what the authority certified", client::EnrollVerb),
    KeyVerb("coordinator", "lead a federation", coordinator::CoordinatorVerb),
    {"submit", "hand a job to a coordinator", coordinator::SubmitVerb},
    {"list", "the jobs of a coordinator", coordinator::ListVerb},
    {"status", "where a job is and what each site does", coordinator::StatusVerb},
    {"log", "a job's events, and those that come", coordinator::LogVerb},
    {"why", "why a job waits or failed", coordinator::WhyVerb},
    {"pause", "hold a job up after the round that is open", coordinator::PauseVerb},
    {"resume", "let a paused job go on", coordinator::ResumeVerb},
    {"abort", "end a job for good", coordinator::AbortVerb},
    {"download", "fetch a job's model and results", coordinator::DownloadVerb},
    KeyVerb("client", "take part in a federation with the data of this site", client::ClientVerb),
    KeyVerb("site", "what a person at the site sees and decides: jobs, approve, refuse, policy", client::SiteVerb),
    {"audit", "check that audit logs hold, alone and against each other", coordinator::AuditVerb},
    DataVerb("train", "train a model on this machine, or on many ranks under mpirun"),
    DataVerb("predict", "segment images with trained models"),
    DataVerb("evaluate", "Dice of predictions against labels"),
    DataVerb("postprocess", "keep the largest parts of predictions where that helps"),
    DataVerb("plan", "check and measure a data set, and plan its networks as nnU-Net does"),
    DataVerb("statistics", "what this site would say of its data for a federated plan"),
    DataVerb("init", "write the weights that a job starts from"),
    DataVerb("worker", "the trainer as a child of a site's client"),
    DataVerb("montage", "a picture of images, truths and predictions"),
    DataVerb("demo-data", "split one data set into hospitals that look different"),
    Later("agent", "start mpirun consilium train on the nodes yourself"),
    Later("launch", "use mpirun or srun with consilium train"),
    Later("simulate", "run the job with a coordinator and clients, or consilium demo"),
    Later("preprocess", "train prepares cases in memory"),
    Later("ensemble", "predict --model RUN1,RUN2 averages folds"),
    Later("find-best", "compare the summary.json of each RUN"),
    Later("export", "checkpoint_final.safetensors is plain safetensors already"),
    Later("import", "predict reads a checkpoint_final.safetensors with upstream's tensor names as it is"),
};

}  // namespace
}  // namespace consilium

int main(int argc, char** argv) {
  return consilium::RunVerb("consilium",
                            "Consilium trains one model over hospitals that keep their data, and over the ranks of a "
                            "cluster.",
                            consilium::kVerbs, argc, argv);
}
