// The front door: every command by one name.  Control verbs run here; data verbs replace this process by
// consilium-trainer, so that mpirun's environment, signals and exit codes reach it untouched.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <vector>

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

const Verb kVerbs[] = {
    {"demo", "three hospitals on this machine train one U-Net on real MRI, over mutual TLS", demo::DemoVerb},
    {"doctor", "what is installed and whether it is fit, one line per finding, with the mend",
     coordinator::ControlDoctorVerb},
    {"provision", "make a project's certificate authority and one kit per party", coordinator::ProvisionVerb},
    {"coordinator", "lead a federation", coordinator::CoordinatorVerb},
    {"client", "take part in a federation with the data of this site", client::ClientVerb},
    DataVerb("train", "train a model on this machine, or on many ranks under mpirun"),
    DataVerb("predict", "segment images with trained models"),
    DataVerb("evaluate", "Dice of predictions against labels"),
    DataVerb("init", "write the weights that a job starts from"),
    DataVerb("worker", "the trainer as a child of a site's client"),
    DataVerb("montage", "a picture of images, truths and predictions"),
    DataVerb("demo-data", "split one data set into hospitals that look different"),
};

// Known to the plan: refused by name, never mistaken for a typing error.
const std::string kNotBuilt[] = {"plan",   "preprocess", "postprocess", "ensemble", "find-best", "export", "import",
                                 "enroll", "agent",      "site",        "submit",   "list",      "status", "log",
                                 "abort",  "download",   "why",         "simulate", "launch",    "audit"};

std::string Summary() {
  std::string text =
      "Consilium trains one model over hospitals that keep their data, and over the ranks of a cluster.\n"
      "Planned, not built yet:";
  for (const std::string& verb : kNotBuilt) text += " " + verb;
  return text;
}

int Main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (std::find(std::begin(kNotBuilt), std::end(kNotBuilt), verb) == std::end(kNotBuilt))
    return RunVerb("consilium", Summary(), kVerbs, argc, argv);
  std::cerr << "consilium " << verb << ": planned, not built yet (consilium --help lists what there is)\n";
  return static_cast<int>(ExitCodeFor(Unimplemented(verb)));
}

}  // namespace
}  // namespace consilium

int main(int argc, char** argv) { return consilium::Main(argc, argv); }
