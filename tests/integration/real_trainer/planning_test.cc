// Sites that plan their network together: real statistics, one plan, the real trainer on it.
#include <gtest/gtest.h>

#include <filesystem>

#include "comm/tensor/safetensors.h"
#include "comm/wire/apply_plan.h"
#include "tests/testing/local_federation.h"
#include "tests/testing/run_program.h"
#include "tests/testing/tiny_dataset.h"

namespace consilium {
namespace {

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(120);
struct Hospital {
  const char* name;
  std::int64_t cases, edge;
};
// Different sizes: a plan of one of them alone is another one.
constexpr Hospital kHospitals[] = {{"a", 5, 16}, {"b", 6, 20}, {"c", 4, 24}};

class RealPlanning : public ::testing::Test {
 protected:
  void SetUp() override {
    std::uint64_t seed = 0;
    for (const Hospital& hospital : kHospitals)
      ASSERT_TRUE(testing::WriteTinyDataset(data(hospital.name),
                                            {.cases = hospital.cases, .edge = hospital.edge, .seed = ++seed})
                      .ok());
  }

  fs::path data(const std::string& site) const { return scratch_ / ("data-" + site); }

  // `model`: the job's section of that name.
  fs::path WriteJob(const std::string& name, const std::string& model, const std::string& mode) {
    const fs::path path = scratch_ / (name + ".yaml");
    const std::string yaml =
        Concat("name: planned\ndata: {dataset: ", testing::kTinyDatasetName, ", fold: all}\nmodel: ", model,
               "\ntrain: {iterations: 3, validation_iterations: 1, batch_size: 2, seed: 7, threads: 1}\n",
               "federation: {rounds: 2, mode: ", mode, ", sites: {min: 2, names: [a, b, c]}}\n");
    EXPECT_TRUE(WriteFileAtomic(path, std::string_view(yaml)).ok());
    return path;
  }

  testing::LocalFederation Federation(const std::string& name, const std::string& mode,
                                      const std::vector<std::string>& client_arguments) {
    auto made = testing::LocalFederation::Create(
        {.folder = scratch_ / name,
         .sites = {"a", "b", "c"},
         .job = WriteJob(name, "{architecture: plan, base_features: 4, features_max: 16}", mode),
         .client_arguments = client_arguments});
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }

  static void Await(testing::LocalFederation& federation, const Json& wanted) {
    const Status came = federation.AwaitEvent(wanted, kPatience);
    ASSERT_TRUE(came.ok()) << came;
  }

  static Json PinnedIn(const testing::LocalFederation& federation) {
    for (const Json& event : federation.Events())
      if (event["event"] == "plan_pinned") return event;
    ADD_FAILURE() << "no plan was pinned\n" << federation.Logs();
    return Json::object();
  }

  static Digest AwaitWeights(testing::LocalFederation& federation) {
    const Status end = federation.AwaitResult(kPatience).status();
    EXPECT_TRUE(end.ok()) << end;
    auto weights = tensor::ReadParameters(federation.job_folder() / "model_final.safetensors");
    EXPECT_TRUE(weights.ok()) << weights.status();
    return weights.ok() ? weights->digest() : Digest();
  }

  // The data of all in one folder, planned by one program: what the federation's plan has to be.
  fs::path PlanPooled() {
    const fs::path pooled = scratch_ / "pooled" / testing::kTinyDatasetName;
    std::int64_t cases = 0;
    for (const Hospital& hospital : kHospitals) {
      const fs::path from = data(hospital.name) / testing::kTinyDatasetName;
      for (const char* folder : {"imagesTr", "labelsTr"}) {
        EXPECT_TRUE(MakeDirectories(pooled / folder).ok());
        for (const auto& entry : fs::directory_iterator(from / folder))
          fs::copy_file(entry.path(), pooled / folder / Concat(hospital.name, "-", entry.path().filename().string()));
      }
      cases += hospital.cases;
      Json description = ReadJson(from / "dataset.json").value();
      description["numTraining"] = cases;
      EXPECT_TRUE(WriteJson(pooled / "dataset.json", description).ok());
    }
    const testing::ProgramResult planned = testing::RunProgram(
        {"consilium-trainer", "plan", pooled.string(), "--output", (scratch_ / "preprocessed").string()},
        scratch_ / "plan.log");
    EXPECT_EQ(planned.exit_code, 0) << planned.output;
    return scratch_ / "preprocessed" / testing::kTinyDatasetName / "nnUNetPlans.json";
  }

  testing::ScratchFolder scratch_;
};

TEST_F(RealPlanning, ThePlanIsThatOfAllDataInOneFolderAndAKilledCoordinatorKeepsIt) {
  testing::LocalFederation federation = Federation("together", "wait", {"--statistics-cases-min", "1"});
  ASSERT_TRUE(federation.StartCoordinator().ok());
  // Without a nothing can be planned; the others' statistics are in the journal when the coordinator dies.
  for (const char* site : {"b", "c"}) ASSERT_TRUE(federation.StartClient(site, data(site)).ok());
  for (const char* site : {"b", "c"})
    Await(federation, {{"event", "update_accepted"}, {"site", site}, {"task", "statistics"}});
  federation.KillCoordinator();
  ASSERT_TRUE(federation.StartCoordinator().ok());
  ASSERT_TRUE(federation.StartClient("a", data("a")).ok());
  Await(federation, {{"event", "plan_pinned"}});
  federation.KillCoordinator();
  ASSERT_TRUE(federation.StartCoordinator().ok());
  const Digest weights = AwaitWeights(federation);

  // The job that trained is the one that the pooled plan gives.
  const fs::path plans = PlanPooled();
  const auto expected = wire::ReadJob(WriteJob(
      "expected", Concat("{architecture: plan, plans: ", plans.string(), ", base_features: 4, features_max: 16}"),
      "wait"));
  ASSERT_TRUE(expected.ok()) << expected.status();
  EXPECT_EQ(ReadFile(federation.job_folder() / "job.yaml").value(), wire::JobToYaml(*expected));
  const Json pooled = ReadJson(plans).value(), pinned = ReadJson(federation.job_folder() / "nnUNetPlans.json").value();
  // nlohmann::json: whatever the order of their keys.
  EXPECT_EQ(nlohmann::json(pinned["configurations"]["3d_fullres"]),
            nlohmann::json(pooled["configurations"]["3d_fullres"]));
  EXPECT_EQ(PinnedIn(federation)["plan"], Sha256Of(nlohmann::json(pinned).dump()).ToHex());
  EXPECT_EQ(PinnedIn(federation)["cases"], 15);

  // And it trained as that job does, from the weights that its seed gives.
  const fs::path model = scratch_ / "model.safetensors";
  const testing::ProgramResult init =
      testing::RunProgram({"consilium-trainer", "init", (scratch_ / "expected.yaml").string(), "--data",
                           data("a").string(), "--output", model.string()},
                          scratch_ / "init.log");
  ASSERT_EQ(init.exit_code, 0) << init.output;
  auto plain = testing::LocalFederation::Create({.folder = scratch_ / "plain",
                                                 .sites = {"a", "b", "c"},
                                                 .job = scratch_ / "expected.yaml",
                                                 .initial_model = model});
  ASSERT_TRUE(plain.ok()) << plain.status();
  ASSERT_TRUE(plain->StartCoordinator().ok());
  for (const Hospital& hospital : kHospitals) ASSERT_TRUE(plain->StartClient(hospital.name, data(hospital.name)).ok());
  EXPECT_EQ(AwaitWeights(*plain), weights);
}

TEST_F(RealPlanning, ASiteOfTooFewCasesSaysNothingOfThemAndTrainsWhatTheOthersPlanned) {
  testing::LocalFederation federation = Federation("few", "close", {});
  ASSERT_TRUE(federation.StartCoordinator().ok());
  for (const Hospital& hospital : kHospitals)
    ASSERT_TRUE(federation.StartClient(hospital.name, data(hospital.name)).ok());
  AwaitWeights(federation);
  EXPECT_EQ(PinnedIn(federation)["sites"], Json({"a", "b"}));
  EXPECT_EQ(PinnedIn(federation)["cases_min"], 5);
  bool refused = false, trained = false;
  for (const Json& event : federation.Events()) {
    const bool of_c = event.value("site", "") == "c";
    refused |= of_c && event["event"] == "site_failed" && event["code"] == "refused";
    trained |= of_c && event["event"] == "update_accepted" && event["task"] == "train";
  }
  EXPECT_TRUE(refused && trained);
}

}  // namespace
}  // namespace consilium
