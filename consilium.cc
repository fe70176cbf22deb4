// The front door of Consilium: runs control verbs itself and executes consilium-trainer for data verbs, so that a
// person learns one name and `mpirun -np 8 consilium train ...` keeps its environment.
#include <unistd.h>

#include <cerrno>
#include <iostream>

#include "client/service/client_verb.h"
#include "comm/base/command.h"
#include "comm/base/subprocess.h"
#include "coordinator/doctor/doctor.h"
#include "coordinator/provision/provision_verb.h"
#include "coordinator/service/coordinator_verb.h"
#include "deploy/demo/demo.h"

namespace consilium {
namespace {

// Becomes `consilium-trainer VERB arguments...`; returns only when that cannot be.
int BecomeTrainer(const std::string& verb, const Arguments& arguments) {
  const StatusOr<std::filesystem::path> program = FindProgram("consilium-trainer");
  Status status = program.status();
  if (program.ok()) {
    const std::string path = program->string();
    std::vector<char*> argv = {const_cast<char*>(path.c_str()), const_cast<char*>(verb.c_str())};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execv(path.c_str(), argv.data());
    status = ErrnoStatus(errno, "starting " + path);
  }
  std::cerr << "consilium " << verb << ": " << status.message() << "\n";
  return static_cast<int>(ExitCodeFor(status));
}

Verb DataVerb(const std::string& name, const std::string& summary) {
  return {name, summary, [name](const Arguments& arguments) { return BecomeTrainer(name, arguments); }};
}

// In the plan, not in this build: refused, never ignored.
Verb LaterVerb(const std::string& name, const std::string& instead) {
  return {name, "(not built yet)", [name, instead](const Arguments&) {
            std::cerr << "consilium " << name << ": known, but not built yet; " << instead << "\n";
            return static_cast<int>(ExitCode::kBadInput);
          }};
}

int Main(int argc, char** argv) {
  const std::vector<Verb> verbs = {
      {"demo", "three hospitals on this machine train one U-Net together", demo::DemoVerb},
      {"doctor", "what is installed, and whether it is fit", coordinator::ControlDoctorVerb},
      DataVerb("train", "train on this machine, or on many ranks under mpirun"),
      DataVerb("predict", "segment images with a trained model"),
      DataVerb("evaluate", "Dice and counts of predictions against labels"),
      DataVerb("init", "the starting weights of a job"),
      DataVerb("demo-data", "the data of the demo: one data set as three hospitals"),
      DataVerb("montage", "a picture of images, truth and predictions"),
      {"provision", "a certificate authority and one kit per party of a project", coordinator::ProvisionVerb},
      {"coordinator", "run a federation: hand out rounds, average what comes back", coordinator::CoordinatorVerb},
      {"client", "a site: train on data that stays here", client::ClientVerb},
      LaterVerb("plan", "give model.patch_size in the job file"),
      LaterVerb("preprocess", "train preprocesses in memory"),
      LaterVerb("postprocess", "predictions are written as the network made them"),
      LaterVerb("ensemble", "predict --model RUN,RUN averages several models"),
      LaterVerb("find-best", "compare the summary.json of your runs"),
      LaterVerb("export", "checkpoint_final.safetensors of a run is already the exchange format"),
      LaterVerb("import", "weights are read where a safetensors file is given"),
      LaterVerb("simulate", "consilium demo runs a federation on one machine"),
      LaterVerb("launch", "start `consilium train` with mpirun or srun yourself"),
      LaterVerb("enroll", "consilium provision makes the sites' keys"),
      LaterVerb("agent", "start `consilium train` on the nodes with mpirun"),
      LaterVerb("site", "a site takes the jobs of its project's coordinator"),
      LaterVerb("submit", "consilium coordinator --job JOB.yaml starts one job"),
      LaterVerb("list", "see the coordinator's STATE/jobs"),
      LaterVerb("status", "see the coordinator's STATE/jobs/NAME/status.json"),
      LaterVerb("log", "see the coordinator's STATE/jobs/NAME/events.jsonl"),
      LaterVerb("abort", "stop the coordinator"),
      LaterVerb("download", "see the coordinator's STATE/jobs/NAME/model_final.safetensors"),
      LaterVerb("why", "see the coordinator's STATE/jobs/NAME/status.json"),
      LaterVerb("audit", "the coordinator's events.jsonl is not signed"),
  };
  return RunVerb("consilium",
                 "Consilium: train together, as one cluster or as a federation of sites that keep their data.", verbs,
                 argc, argv);
}

}  // namespace
}  // namespace consilium

int main(int argc, char** argv) { return consilium::Main(argc, argv); }
