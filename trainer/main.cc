// consilium-trainer: the data plane's front door.  A table of verbs, one line each.
#include <array>
#include <iostream>
#include <string>

#include "comm/base/command.h"
#include "datasets/demo/verbs.h"
#include "datasets/statistics/verbs.h"
#include "trainer/doctor/doctor.h"
#include "trainer/evaluation/evaluate_verb.h"
#include "trainer/inference/predict_verb.h"
#include "trainer/loop/train_verb.h"
#include "trainer/models/init_verb.h"
#include "trainer/postprocess/postprocess_verb.h"
#include "trainer/startup/runtime_tuning.h"
#include "trainer/worker/worker.h"

namespace {

using consilium::Arguments;
using consilium::Verb;

// In the plan, not in this build: said so, instead of "unknown verb".
Verb Later(const std::string& name, const std::string& instead) {
  return {name, "not built yet", [name, instead](const Arguments&) {
            std::cerr << "consilium " << name << ": known, not built yet; " << instead << "\n";
            return static_cast<int>(consilium::ExitCode::kBadInput);
          }};
}

}  // namespace

int main(int argc, char** argv) {
  consilium::trainer::PrepareProcess(argv);
  const std::array<Verb, 17> verbs = {{
      {"train", "train a model from a job file", consilium::trainer::TrainVerb},
      {"predict", "label images with a trained model", consilium::trainer::PredictVerb},
      {"evaluate", "compare predictions with true labels", consilium::trainer::EvaluateVerb},
      {"postprocess", "keep the largest parts of predictions where that helps", consilium::trainer::PostprocessVerb},
      {"init", "write a job's starting weights", consilium::trainer::InitVerb},
      {"worker", "train and evaluate for a site's client (started by it)", consilium::trainer::WorkerVerb},
      {"doctor", "what is installed here, and how fast it is", consilium::trainer::DoctorVerb},
      {"demo-data", "make three hospitals' folders for the demonstration", consilium::datasets::DemoDataVerb},
      {"montage", "a picture of images, true and predicted labels", consilium::datasets::MontageVerb},
      {"plan", "check and measure a data set, and plan its networks", consilium::datasets::PlanVerb},
      {"statistics", "what a site says of its data for a federated plan", consilium::datasets::StatisticsVerb},
      Later("preprocess", "train prepares cases in memory"),
      Later("simulate", "run the job with a coordinator and clients, or consilium demo"),
      Later("ensemble", "predict --model RUN1,RUN2 averages folds"),
      Later("find-best", "compare the summary.json of each RUN"),
      Later("export", "checkpoint_final.safetensors is plain safetensors already"),
      Later("import", "predict reads a checkpoint_final.safetensors with upstream's tensor names as it is"),
  }};
  return consilium::RunVerb("consilium-trainer",
                            "The data plane of Consilium: trains and applies segmentation models. (consilium is the "
                            "front door for these and for all other verbs.)",
                            verbs, argc, argv);
}
