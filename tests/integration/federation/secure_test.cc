// Secure aggregation between real processes, with a stub for a trainer: what comes out, what lies on the coordinator's
// disk meanwhile, and sites that die at awkward moments.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <csignal>

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

}  // namespace
}  // namespace consilium
