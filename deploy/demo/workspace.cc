#include "deploy/demo/workspace.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <iterator>

#include "comm/base/file.h"
#include "comm/base/json.h"
#include "comm/base/subprocess.h"
#include "comm/wire/job.h"

namespace consilium::demo {

namespace fs = std::filesystem;

namespace {

constexpr char kMarker[] = ".consilium-demo";
constexpr char kHippocampus[] = "Dataset004_Hippocampus";
constexpr std::int64_t kCohortMin = 3;

// Runs one of our programs to its end; its output goes to a log whose tail is quoted when it fails.
Status RunStep(const std::string& program, std::vector<std::string> arguments, const fs::path& log) {
  ASSIGN_OR_RETURN(const fs::path path, FindProgram(program));
  const std::string verb = arguments.front();
  arguments.insert(arguments.begin(), path.string());
  ASSIGN_OR_RETURN(Subprocess child, Subprocess::Start({.arguments = arguments, .output = log}));
  ASSIGN_OR_RETURN(const ExitResult result, child.Wait(std::chrono::minutes(5)));
  if (result.ok()) return Status();
  std::string tail = ReadFile(log).ok() ? *ReadFile(log) : "";
  if (tail.size() > 2000) tail = "..." + tail.substr(tail.size() - 2000);
  return Failed(program, " ", verb, " ended with ", result.ToString(), "; ", log.string(), " says:\n", tail);
}

// Removes a former demo; refuses to touch any other folder.
Status MakeFresh(const fs::path& root) {
  std::error_code error;
  if (fs::exists(root, error) && !fs::is_empty(root, error)) {
    if (!fs::exists(root / kMarker, error))
      return AlreadyExists(root.string(), " exists and was not made by a demo; choose another folder with --output");
    fs::remove_all(root, error);
    if (error) return ErrnoStatus(error.value(), "removing the former demo in " + root.string());
  }
  RETURN_IF_ERROR(MakeDirectories(root / "logs"));
  return WriteFileAtomic(root / kMarker, std::string_view("made by consilium demo; safe to remove\n"));
}

// What the split made: names, data set, the patch that suits the cases.
Status ReadSites(Workspace* workspace) {
  const fs::path file = workspace->root / "hospitals" / "sites.json";
  ASSIGN_OR_RETURN(const Json json, ReadJson(file));
  try {
    workspace->dataset = json.at("dataset").get<std::string>();
    workspace->patch_size = json.at("suggested_patch_size").get<std::vector<std::int64_t>>();
    for (const Json& site : json.at("sites")) workspace->sites.push_back(site.at("name").get<std::string>());
  } catch (const Json::exception& error) {
    return DataLoss(file.string(), " is not as expected: ", error.what());
  }
  return Status();
}

Status WriteProject(const Workspace& workspace) {
  // What each hospital's own policy will say: at least three in every average, and no update that is seen alone.
  const bool secure = workspace.summing == Summing::kSecure;
  Json project = {
      {"name", "demo"},
      {"coordinator", {{"name", kCoordinatorName}, {"address", "localhost:8443"}}},
      {"sites", workspace.sites},
      {"site_policy", {{"min_cohort", kCohortMin}, {"secure_aggregation", secure ? "required" : "optional"}}}};
  return WriteFileAtomic(workspace.root / "project.yaml", JsonToYaml(project));
}

// Chosen for two cores and six minutes; every value is a job key that a person may change.
Status WriteJob(const Workspace& workspace) {
  // A hospital of the one brain has too few cases for five folds.
  const Json fold = workspace.one_brain ? Json("all") : Json(0);
  // Of three hospitals none may be missing; of more, one.
  const std::size_t sites_min = std::max<std::size_t>(workspace.sites.size() - 1, kCohortMin);
  Json federation = {{"rounds", workspace.rounds},
                     {"mode", "close"},
                     {"sites", {{"min", sites_min}, {"names", workspace.sites}}},
                     {"round_deadline", workspace.sites.size() > kSitesMin ? "2m" : "3m"},
                     {"local", {{"iterations", workspace.iterations}}},
                     {"strategy", {{"name", "fedavg"}, {"weighting", "examples"}}}};
  if (workspace.summing == Summing::kSecure) {
    federation["mode"] = "secure";
    federation["secure_aggregation"] = {{"enabled", true}, {"min_cohort", kCohortMin}};
  }
  Json job = {{"name", kJobName},
              {"task", "segmentation"},
              {"data", {{"dataset", workspace.dataset}, {"configuration", "3d_fullres"}, {"fold", fold}}},
              {"model", {{"architecture", "plain_unet"}, {"patch_size", workspace.patch_size}, {"base_features", 8}}},
              {"train",
               {{"iterations", workspace.iterations},
                {"validation_iterations", 4},
                {"batch_size", 2},
                {"seed", 1},
                {"threads", 1},
                {"learning_rate", 0.1},
                {"momentum", 0.9}}},
              {"federation", std::move(federation)}};
  const std::string text =
      "# One job file drives train, simulate, submit and launch; see docs/job-file.md.\n" + JsonToYaml(job);
  RETURN_IF_ERROR(WriteFileAtomic(workspace.job_file(), text));
  return wire::ReadJob(workspace.job_file()).status();
}

}  // namespace

std::string HospitalsInWords(std::size_t count) {
  constexpr const char* kWords[] = {"Three", "Four", "Five"};
  static_assert(std::size(kWords) == kSitesMax - kSitesMin + 1);
  return Concat(count < kSitesMin || count > kSitesMax ? std::to_string(count) : kWords[count - kSitesMin],
                " hospitals");
}

fs::path FindSource(const DemoOptions& options) {
  if (!options.source.empty()) return options.source;
  const char* data = std::getenv("CONSILIUM_DATA");
  if (data == nullptr) return {};
  const fs::path candidate = fs::path(data) / kHippocampus;
  std::error_code error;
  return fs::exists(candidate / "dataset.json", error) ? candidate : fs::path();
}

StatusOr<Workspace> PrepareWorkspace(const DemoOptions& options) {
  Workspace workspace;
  workspace.root = fs::absolute(options.output).lexically_normal();
  const fs::path source = FindSource(options);
  workspace.one_brain = source.empty();
  workspace.summing = options.summing;
  workspace.rounds = options.rounds > 0 ? options.rounds : options.sites > 3 ? 8 : 12;
  workspace.iterations = options.iterations > 0 ? options.iterations : 40;

  RETURN_IF_ERROR(MakeFresh(workspace.root));
  if (workspace.one_brain) {
    std::cerr << "data        one real head (Debian's mricron-data), cut into blocks: this is ONE brain, a "
                 "demonstration of the\n"
                 "            machinery and no clinical result. Set CONSILIUM_DATA to use the hippocampus data set.\n";
  } else {
    std::cerr << "data        " << source.string() << ", split into " << options.sites
              << " hospitals with different scanners\n";
  }
  std::vector<std::string> split = {"demo-data", "--output", (workspace.root / "hospitals").string(), "--sites",
                                    std::to_string(options.sites)};
  // The hippocampus data set has 200 labelled cases: enough for four hospitals of 48.
  if (options.sites > 4) split.insert(split.end(), {"--training-cases", "30"});
  if (!workspace.one_brain) split.insert(split.end(), {"--source", source.string()});
  RETURN_IF_ERROR(RunStep("consilium-trainer", split, workspace.log("demo-data")));

  RETURN_IF_ERROR(ReadSites(&workspace));

  std::cerr << "identities  a certificate authority and one kit per party in " << (workspace.root / "kits").string()
            << "\n";
  std::cerr << "policy      each hospital's own, in its kit: an average is made of at least " << kCohortMin << " sites"
            << (options.summing == Summing::kSecure ? ", and secure aggregation is required" : "") << "\n";
  RETURN_IF_ERROR(WriteProject(workspace));
  RETURN_IF_ERROR(
      RunStep("consilium",
              {"provision", (workspace.root / "project.yaml").string(), "--output", (workspace.root / "kits").string()},
              workspace.log("provision")));

  std::cerr << "job         " << workspace.job_file().string() << ": " << workspace.rounds << " rounds of "
            << workspace.iterations << " steps at each site\n";
  RETURN_IF_ERROR(WriteJob(workspace));
  RETURN_IF_ERROR(
      RunStep("consilium-trainer",
              {"init", workspace.job_file().string(), "--data", workspace.data(workspace.sites.front()).string(),
               "--output", workspace.initial_model().string()},
              workspace.log("init")));
  return workspace;
}

}  // namespace consilium::demo
