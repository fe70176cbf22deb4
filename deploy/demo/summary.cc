#include "deploy/demo/summary.h"

#include <iostream>

#include "comm/base/file.h"
#include "comm/base/subprocess.h"
#include "deploy/demo/report.h"

namespace consilium::demo {

namespace fs = std::filesystem;

namespace {

Status CopyFile(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  return error ? ErrnoStatus(error.value(), "copying " + from.string() + " to " + to.string()) : Status();
}

// Where a site's client left its predictions of the held-out cases.
fs::path PredictionsOf(const Workspace& workspace, const std::string& site) {
  return workspace.site_state(site) / "jobs" / kJobName / "predictions";
}

Status DrawMontage(const Workspace& workspace, const std::map<std::string, double>& sites, const fs::path& png) {
  ASSIGN_OR_RETURN(const fs::path trainer, FindProgram("consilium-trainer"));
  std::vector<std::string> arguments = {trainer.string(), "montage", "--output", png.string()};
  for (const auto& [site, dice] : sites) {
    const fs::path held_out = workspace.data(site) / "heldout";
    arguments.push_back("--site");
    arguments.push_back(Concat(site, "=", (held_out / "imagesTs").string(), ",", (held_out / "labelsTs").string(), ",",
                               PredictionsOf(workspace, site).string()));
  }
  const fs::path log = workspace.log("montage");
  ASSIGN_OR_RETURN(Subprocess child, Subprocess::Start({.arguments = arguments, .output = log}));
  ASSIGN_OR_RETURN(const ExitResult result, child.Wait(std::chrono::minutes(2)));
  return result.ok() ? Status() : Failed("drawing the montage ended with ", result.ToString(), "; see ", log.string());
}

}  // namespace

StatusOr<DemoResult> Summarize(const Workspace& workspace, const FaultPlan& faults, double seconds) {
  const fs::path job = workspace.coordinator_state() / "jobs" / kJobName;
  ASSIGN_OR_RETURN(const Json outcome, ReadJson(job / "result.json"));
  DemoResult result;
  result.seconds = seconds;
  try {
    result.digest = outcome.at("parameters").get<std::string>();
    for (const auto& [site, metrics] : outcome.at("evaluations").items())
      result.dice[site] = metrics.at("dice").get<double>();
  } catch (const Json::exception& error) {
    return DataLoss((job / "result.json").string(), " is not as expected: ", error.what());
  }
  for (const std::string& site : workspace.sites)
    if (!faults.IsGone(site) && !result.dice.contains(site))
      return Failed(site, " did not report its held-out Dice; see ", job.string(), "/events.jsonl");
  for (const auto& [site, dice] : result.dice) result.mean_dice += dice / static_cast<double>(result.dice.size());
  result.model = workspace.root / "model_final.safetensors";
  result.metrics = workspace.root / "metrics.jsonl";
  result.montage = workspace.root / "montage.png";
  RETURN_IF_ERROR(CopyFile(job / "model_final.safetensors", result.model));
  RETURN_IF_ERROR(CopyFile(job / "metrics.jsonl", result.metrics));
  RETURN_IF_ERROR(DrawMontage(workspace, result.dice, result.montage));
  result.report = workspace.root / "report.html";
  RETURN_IF_ERROR(WriteReport(result, workspace, faults));
  RETURN_IF_ERROR(WriteJson(workspace.root / "result.json", ToJson(result, workspace)));
  return result;
}

Json ToJson(const DemoResult& result, const Workspace& workspace) {
  Json sites = Json::object();
  for (const auto& [site, dice] : result.dice)
    sites[site] = {{"held_out_dice", dice}, {"predictions", PredictionsOf(workspace, site).string()}};
  return {{"dataset", workspace.dataset},
          {"one_brain", workspace.one_brain},
          {"secure_aggregation", workspace.summing == Summing::kSecure},
          {"mean_held_out_dice", result.mean_dice},
          {"sites", sites},
          {"rounds", workspace.rounds},
          {"seconds", result.seconds},
          {"parameters_digest", result.digest},
          {"model", result.model.string()},
          {"montage", result.montage.string()},
          {"report", result.report.string()},
          {"metrics", result.metrics.string()}};
}

void PrintSummary(const DemoResult& result, const Workspace& workspace) {
  char line[256];
  std::cerr
      << "\nHeld-out Dice of the federated model (mean over foreground classes; no hospital trained on these cases)\n";
  for (const auto& [site, dice] : result.dice) {
    std::snprintf(line, sizeof line, "  %-12s %.3f\n", site.c_str(), dice);
    std::cerr << line;
  }
  std::snprintf(line, sizeof line, "  %-12s %.3f   after %lld rounds in %.0f s\n", "mean", result.mean_dice,
                static_cast<long long>(workspace.rounds), result.seconds);
  std::cerr << line;
  if (workspace.one_brain)
    std::cerr << "  (all cases were cut from one brain: this shows the machinery, not medicine)\n";
  std::cerr << "\n  report       " << result.report.string() << "\n  picture      " << result.montage.string()
            << "\n  weights      " << result.model.string() << "  (" << result.digest.substr(0, 16)
            << "...)\n  metrics      " << result.metrics.string() << "\n  predictions  "
            << PredictionsOf(workspace, "<hospital>").string() << "/*.nii.gz\n  logs         "
            << (workspace.root / "logs").string() << "/\n";
}

}  // namespace consilium::demo
