// Secure aggregation between real processes, with a stub for a trainer: what comes out, what lies on the coordinator's
// disk meanwhile, and sites that die at awkward moments.
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>

#include "comm/base/file.h"
#include "comm/tensor/safetensors.h"
#include "tests/testing/local_federation.h"
#include "tests/testing/run_program.h"

namespace consilium {
namespace {

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(60);
constexpr std::int64_t kValues = 300 * 1000 + 7;
constexpr std::uintmax_t kMaskedBytes = 4 * (kValues + 7);  // and the weight, and two numbers for each of three metrics

class SecureTrial {
 public:
  SecureTrial(const std::vector<std::string>& sites, const std::string& federation) : sites_(sites) {
    const std::string yaml = Concat("name: trial\ndata: {dataset: Dataset001_Toy}\nmodel: {patch_size: [8, 8, 8]}\n",
                                    "federation:\n  rounds: 2\n  round_deadline: 20s\n", federation);
    EXPECT_TRUE(WriteFileAtomic(scratch_ / "job.yaml", std::string_view(yaml)).ok());
    const auto schema = std::make_shared<const tensor::Schema>(
        tensor::Schema::Create(
            {{"layer.weight", tensor::DType::kF32, {300, 1000}}, {"layer.bias", tensor::DType::kF32, {7}}})
            .value());
    const fs::path model = scratch_ / "initial.safetensors";
    EXPECT_TRUE(tensor::WriteParameters(model, tensor::ParameterVector::Zeros(schema).value()).ok());
    for (const std::string& site : sites) {
      EXPECT_TRUE(MakeDirectories(data(site)).ok());
      Json stub = {{"site", site}, {"delay_ms", 20}};
      if (site == "b") stub["hold"] = {"train-0"};
      EXPECT_TRUE(WriteJson(data(site) / "stub.json", stub).ok());
    }
    StatusOr<testing::LocalFederation> made =
        testing::LocalFederation::Create({.folder = scratch_ / "federation",
                                          .sites = sites,
                                          .job = scratch_ / "job.yaml",
                                          .initial_model = model,
                                          .trainer = fs::path(CONSILIUM_BIN_DIR) / "stub-trainer"});
    EXPECT_TRUE(made.ok()) << made.status();
    federation_.emplace(*std::move(made));
  }

  void Start() {
    const Status coordinator = federation().StartCoordinator();
    ASSERT_TRUE(coordinator.ok()) << coordinator;
    for (const std::string& site : sites_) ASSERT_TRUE(federation().StartClient(site, data(site)).ok());
  }
  testing::LocalFederation& federation() { return *federation_; }
  fs::path data(const std::string& site) const { return scratch_ / ("data-" + site); }

  void LetTrain() { EXPECT_TRUE(WriteFileAtomic(data("b") / "go-train-0", std::string_view("")).ok()); }

  // Stops in the middle of the first sum: it has begun, c has sent its keys, and a is frozen before it sends its own.
  void StopInTheMiddle() {
    Await("site_ready", {{"site", "a"}});
    ASSERT_EQ(::kill(federation().pid("a"), SIGSTOP), 0);
    LetTrain();
    Await("secure_answer", {{"site", "c"}, {"session", 1}, {"stage", "keys"}});
  }
  void GoOn() { ASSERT_EQ(::kill(federation().pid("a"), SIGCONT), 0); }

  void Await(const std::string& event, const Json& fields) {
    Json wanted = fields;
    wanted["event"] = event;
    const Status came = federation().AwaitEvent(wanted, kPatience);
    ASSERT_TRUE(came.ok()) << came;
  }
  std::vector<Json> EventsNamed(const std::string& name) {
    std::vector<Json> events = federation().Events();
    std::erase_if(events, [&](const Json& line) { return line["event"] != name; });
    return events;
  }

  Json AwaitResult() {
    const StatusOr<Json> result = federation().AwaitResult(kPatience);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : Json();
  }
  std::vector<float> FinalModel() {
    auto model = tensor::ReadParameters(federation().job_folder() / "model_final.safetensors");
    EXPECT_TRUE(model.ok()) << model.status();
    if (!model.ok()) return {};
    return {model->values().begin(), model->values().end()};
  }

  // What lies on the coordinator's disk: no update of a site, whatever else.  Returns how many masked vectors there
  // are.
  std::size_t CheckSpool() {
    std::size_t masked = 0;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(federation().state_folder(), error), end; !error && entry != end;
         entry.increment(error)) {
      // The mean of all is what the coordinator may know.
      if (!entry->is_regular_file() || entry->path().filename() == "secure-mean.safetensors") continue;
      const StatusOr<std::string> bytes = ReadFile(entry->path());
      if (!bytes.ok()) continue;
      EXPECT_EQ(bytes->substr(0, 4096).find("consilium.update"), std::string::npos) << entry->path();
      if (bytes->size() != kMaskedBytes || entry->path().string().find("/blobs/") == std::string::npos) continue;
      ++masked;
      // Its words look like noise: half of their bits are ones.
      double ones = 0;
      for (const char byte : *bytes) ones += __builtin_popcount(static_cast<unsigned char>(byte));
      EXPECT_NEAR(ones / (8.0 * static_cast<double>(bytes->size())), 0.5, 0.002) << entry->path();
    }
    return masked;
  }

 private:
  testing::ScratchFolder scratch_;
  std::vector<std::string> sites_;
  std::optional<testing::LocalFederation> federation_;
};

constexpr char kSecure[] = "  secure_aggregation: {enabled: true, min_cohort: 3}\n";

TEST(SecureAggregation, GivesTheModelOfThePlainRunToAUnitOfTheRing) {
  SecureTrial plain({"a", "b", "c"}, "  mode: wait\n  sites: {min: 3}\n"), secret({"a", "b", "c"}, kSecure);
  plain.LetTrain(), secret.LetTrain();
  plain.Start();
  ASSERT_FALSE(plain.AwaitResult().empty());
  secret.Start();
  while (!secret.federation().Poll(testing::kCoordinatorParty)) {
    secret.CheckSpool();
    ::usleep(5'000);
  }
  ASSERT_FALSE(secret.AwaitResult().empty());
  const std::vector<float> expected = plain.FinalModel(), model = secret.FinalModel();
  ASSERT_EQ(model.size(), static_cast<std::size_t>(kValues));
  ASSERT_EQ(expected.size(), model.size());
  // A site's rounding is below c / Q = 4 / 2^26; weights of 10 to 16 of at most 1024 examples make 1 / 0.03 of it.
  double worst = 0, moved = 0;
  for (std::size_t k = 0; k < model.size(); ++k) {
    worst = std::max(worst, std::fabs(static_cast<double>(model[k]) - static_cast<double>(expected[k])));
    moved = std::max(moved, std::fabs(static_cast<double>(model[k])));
  }
  EXPECT_LT(worst, 2 * 3 * 6e-8 / 0.03);
  EXPECT_GT(moved, 0.1) << "the sites trained";
  EXPECT_EQ(secret.CheckSpool(), 0u) << "vectors go when their round is folded";
  EXPECT_TRUE(secret.EventsNamed("update_accepted").empty());
}

TEST(SecureAggregation, AtThreeSitesADeathInTheMiddleBeginsAnotherSumOfTheSameUpdates) {
  SecureTrial trial({"a", "b", "c"}, kSecure);
  trial.Start();
  trial.StopInTheMiddle();
  trial.federation().KillClient("c");
  EXPECT_EQ(trial.CheckSpool(), 0u);
  trial.GoOn();
  trial.Await("secure_session_aborted", {{"round", 0}, {"session", 1}});
  ASSERT_TRUE(trial.federation().RestartClient("c").ok());
  ASSERT_FALSE(trial.AwaitResult().empty());
  EXPECT_TRUE(trial.EventsNamed("round_skipped").empty());
  const std::vector<Json> closed = trial.EventsNamed("round_closed");
  ASSERT_EQ(closed.size(), 2u);
  for (const Json& round : closed) EXPECT_EQ(round["contributors"], (Json{"a", "b", "c"}));
}

TEST(SecureAggregation, OfFiveSitesOneMayDieInTheMiddleAndTheSumGoesOn) {
  SecureTrial trial({"a", "b", "c", "d", "e"}, kSecure);
  trial.Start();
  trial.StopInTheMiddle();
  trial.federation().KillClient("c");
  trial.GoOn();
  ASSERT_FALSE(trial.AwaitResult().empty());
  EXPECT_TRUE(trial.EventsNamed("secure_session_aborted").empty());
  const std::vector<Json> closed = trial.EventsNamed("round_closed");
  ASSERT_EQ(closed.size(), 2u);
  for (const Json& round : closed) EXPECT_EQ(round["contributors"], (Json{"a", "b", "d", "e"}));
}

TEST(SecureAggregation, ACoordinatorThatDiesInTheMiddleBeginsAnotherSumAndNothingIsTrainedAgain) {
  SecureTrial trial({"a", "b", "c"}, kSecure);
  trial.Start();
  trial.StopInTheMiddle();
  trial.federation().KillCoordinator();
  trial.CheckSpool();
  ASSERT_TRUE(trial.federation().StartCoordinator().ok());
  trial.GoOn();
  ASSERT_FALSE(trial.AwaitResult().empty());
  const std::vector<Json> sessions = trial.EventsNamed("secure_session");
  ASSERT_GE(sessions.size(), 3u);
  EXPECT_EQ(sessions[1]["round"], 0);
  EXPECT_EQ(sessions[1]["session"], 2);
  EXPECT_EQ(trial.EventsNamed("round_closed").size(), 2u);
  EXPECT_TRUE(trial.EventsNamed("round_skipped").empty());
}

// Few sites and many values: noise is all that comes out, and it comes out as it was promised.
std::string PrivateJob(const std::string& sites) { return Concat(kSecure, "privacy:\n  sites: {", sites, "}\n"); }

TEST(PrivateSites, TheMeanHasItsNoiseAndTheClipFollowsAndEverySiteHasPaid) {
  SecureTrial trial(
      {"a", "b", "c", "d", "e"},
      PrivateJob("epsilon: 40, clip: 0.01, adaptive_clip: true, noise_multiplier: 1, accept_noise: true"));
  trial.LetTrain();
  trial.Start();
  const Json result = trial.AwaitResult();
  ASSERT_FALSE(result.empty());
  EXPECT_TRUE(result["evaluations"].empty()) << "a score would tell more than the noisy mean";
  ASSERT_EQ(result["privacy"]["unit"], "site");
  const double epsilon = result["privacy"]["epsilon"].get<double>();
  EXPECT_GT(epsilon, 1);
  EXPECT_LE(epsilon, 40);
  // Both rounds' noise: 5 sites make that of 3 honest ones, so sqrt(5 / 3) clips in the sum, and the bit's share more.
  const std::vector<Json> published = trial.EventsNamed("model_published");
  ASSERT_EQ(published.size(), 2u);
  double variance = 0, before = 0.01;
  for (const Json& event : published) {
    const Json& privacy = event["privacy"];
    EXPECT_NEAR(privacy["clip"].get<double>(), before, 1e-12);
    before *= std::exp(-0.2 * (std::clamp(privacy["share_below"].get<double>(), 0.0, 1.0) - 0.5));
    variance += std::pow(privacy["clip"].get<double>() / 5, 2) * 5 / 3 / (1 - 0.25);
  }
  const std::vector<float> model = trial.FinalModel();
  ASSERT_EQ(model.size(), static_cast<std::size_t>(kValues));
  double square = 0;
  for (const float value : model) square += static_cast<double>(value) * static_cast<double>(value) / kValues;
  EXPECT_NEAR(square / variance, 1, 0.02) << "the signal is a thousandth of it";
  for (const char* site : {"a", "b", "c", "d", "e"}) {
    const auto ledger = ReadJson(trial.federation().client_folder(site) / "privacy/Dataset001_Toy/site/ledger.json");
    ASSERT_TRUE(ledger.ok()) << ledger.status();
    EXPECT_EQ((*ledger)["charges"].size(), 2u) << site;
    for (const auto& [release, charge] : (*ledger)["charges"].items()) {
      EXPECT_TRUE(release.starts_with("trial/")) << release;
      EXPECT_EQ(charge["dimension"], kValues + 1) << "the bit is in it";
    }
  }
  std::size_t lines = 0;
  const StatusOr<std::string> metrics = ReadFile(trial.federation().job_folder() / "metrics.jsonl");
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  for (std::size_t at = 0; (at = metrics->find("\"share_below\"", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, 2u) << *metrics;
}

TEST(PrivateSites, AtItsBudgetASiteTrainsNothingMoreAndTheJobEndsWithTheExitCodeOfASpentBudget) {
  // One release with this noise is epsilon 4.75, two are 7.09.
  SecureTrial trial({"a", "b", "c"}, PrivateJob("epsilon: 6, noise_multiplier: 1, accept_noise: true"));
  trial.LetTrain();
  trial.Start();
  const StatusOr<ExitResult> end = trial.federation().AwaitEnd(kPatience);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->exit_code, 8) << trial.federation().Logs();
  const StatusOr<Json> result = trial.federation().Result();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ((*result)["rounds_done"], 1) << "the first round's model stays";
  EXPECT_NE((*result)["message"].get<std::string>().find("beyond the budget of 6"), std::string::npos) << *result;
  for (const char* site : {"a", "b", "c"}) {
    const auto ledger = ReadJson(trial.federation().client_folder(site) / "privacy/Dataset001_Toy/site/ledger.json");
    ASSERT_TRUE(ledger.ok()) << ledger.status();
    EXPECT_EQ((*ledger)["charges"].size(), 1u) << site;
  }
}

TEST(PrivateSites, AJobThatWouldDrownInItsNoiseIsRefusedBeforeItBegins) {
  SecureTrial trial({"a", "b", "c"}, PrivateJob("epsilon: 8"));
  const Status started = trial.federation().StartCoordinator();
  ASSERT_FALSE(started.ok());
  EXPECT_NE(started.message().find("times as much noise as there can be signal"), std::string::npos) << started;
  EXPECT_NE(started.message().find("Use privacy.records"), std::string::npos) << started;
}

}  // namespace
}  // namespace consilium
