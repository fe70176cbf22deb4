// A site's round under each kind of local method, on real (small) training.
#include "trainer/worker/federated_round.h"

#include <gmock/gmock.h>

#include <cmath>

#include "comm/wire/update_format.h"
#include "tests/unit/trainer/worker/tiny_site.h"
#include "trainer/local/local_method.h"
#include "trainer/local/personal_parts.h"
#include "trainer/local/vector_math.h"
#include "trainer/loop/train_data.h"
#include "trainer/worker/training_runner.h"

namespace consilium::trainer {
namespace {

using tensor::ParameterVector;
using ::testing::HasSubstr;

class FederatedRoundTest : public TinySiteTest {
 protected:
  void SetUp() override {
    TinySiteTest::SetUp();
    auto data = LoadTrainData(job_, folder_.path());
    ASSERT_TRUE(data.ok()) << data.status();
    data_ = *std::move(data);
  }

  void UseStrategy(const std::string& name, const wire::StrategyParameters& parameters = {}) {
    job_.federation.strategy = name;
    job_.federation.strategy_parameters = wire::DefaultParameters(*wire::FindStrategy(name));
    for (const auto& [parameter, value] : parameters) job_.federation.strategy_parameters[parameter] = value;
    if (name == "ditto") {
      job_.federation.personalization.method = wire::PersonalizationMethod::kDitto;
      job_.federation.personalization.lambda = wire::ParameterOf(job_.federation, "lambda");
    }
  }

  // With a trainer of its own, as after a kill.
  StatusOr<TaskResult> Train(const wire::WorkerTask& task) {
    TrainerOptions options;
    options.job = job_;
    options.classes = 3;
    options.train_cases = data_.train;
    options.validation_cases = data_.validation;
    options.communicator = solo_.get();
    ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer, Trainer::Create(std::move(options)));
    const ParameterVector initial = trainer->Parameters();
    Recorder recorder;
    return TrainRound(
        {.job = job_, .task = task, .trainer = *trainer, .initial = initial, .gang = *solo_, .monitor = recorder});
  }
  wire::WorkerTask Task(std::uint32_t round) const { return TaskOf(wire::TaskKind::kTrain, round); }
  SiteState StateAfter(std::uint32_t round) const {
    auto state = SiteState::Read(folder_ / Concat("state-", round + 1), wire::JobDigest(job_));
    CONSILIUM_CHECK(state.ok(), state.status());
    return *std::move(state);
  }
  ParameterVector File(const std::string& name) const {
    auto values = tensor::ReadParameters(folder_ / name);
    CONSILIUM_CHECK(values.ok(), values.status());
    return *std::move(values);
  }

  const std::unique_ptr<collective::Communicator> solo_ = collective::MakeSoloCommunicator();
  TrainData data_;
};

TEST_F(FederatedRoundTest, MethodsWithoutPullOrHistoryTrainAsFedAvgDoesBitForBit) {
  ASSERT_TRUE(Train(Task(0)).ok());
  const ParameterVector plain = File("model-1"), moved = Difference(plain, File("model-0"));
  for (const auto& [name, parameters] : std::vector<std::pair<std::string, wire::StrategyParameters>>{
           {"fedprox", {{"mu", 0}}}, {"ditto", {}}, {"feddyn", {{"alpha", 0}}}, {"scaffold", {}}, {"fedadam", {}}}) {
    UseStrategy(name, parameters);
    const auto result = Train(Task(0));
    ASSERT_TRUE(result.ok()) << name << ": " << result.status();
    const auto update = wire::UpdateReader::Open(
        folder_ / "model-1", plain.shared_schema(),
        name == "scaffold" ? std::vector<std::string>{"control_delta"} : std::vector<std::string>{});
    ASSERT_TRUE(update.ok()) << name << ": " << update.status();
    const bool weights = name == "fedprox" || name == "ditto";
    EXPECT_EQ(update->kind(), weights ? wire::UpdateKind::kWeights : wire::UpdateKind::kDelta) << name;
    const ParameterVector& expected = weights ? plain : moved;
    std::vector<float> tile;
    for (std::size_t i = 0; i < expected.schema().tensors().size(); ++i) {
      tile.resize(expected.tensor(i).size());
      ASSERT_TRUE(update->ReadTile(i, 0, tile).ok());
      EXPECT_TRUE(std::equal(tile.begin(), tile.end(), expected.tensor(i).begin())) << name;
    }
  }
}

TEST_F(FederatedRoundTest, APullKeepsTheSiteNearerToTheReceivedModel) {
  const auto distance = [&] {
    const ParameterVector moved = Difference(File("model-1"), File("model-0"));
    double sum = 0;
    for (const float x : moved.values()) sum += double{x} * x;
    return std::sqrt(sum);
  };
  job_.federation.local_iterations = 8;
  ASSERT_TRUE(Train(Task(0)).ok());
  const double free = distance();
  UseStrategy("fedprox", {{"mu", 10}});
  ASSERT_TRUE(Train(Task(0)).ok());
  EXPECT_LT(distance(), 0.9 * free);
}

TEST_F(FederatedRoundTest, ScaffoldKeepsTheMeanGradientSendsItsChangeAndIsCorrectedByIt) {
  UseStrategy("scaffold");
  job_.train.momentum = 0;
  job_.train.weight_decay = 0;
  job_.train.gradient_clip = 1e12;
  ASSERT_TRUE(Train(Task(0)).ok());
  const ParameterVector start = File("model-0"), control = *StateAfter(0).Find(state_part::kControl);
  auto update = wire::UpdateReader::Open(folder_ / "model-1", start.shared_schema(), {"control_delta"});
  ASSERT_TRUE(update.ok()) << update.status();
  // Option II of the paper for plain SGD: c_i+ = 0 - 0 + (x - y) / (K lr).
  const double scale = kIterations * job_.train.learning_rate;
  for (std::size_t i = 0; i < start.schema().tensors().size(); ++i) {
    std::vector<float> moved(start.tensor(i).size()), up(start.tensor(i).size());
    ASSERT_TRUE(update->ReadTile(i, 0, moved).ok());
    ASSERT_TRUE(update->ReadAuxiliaryTile("control_delta", i, 0, up).ok());
    for (std::size_t j = 0; j < moved.size(); ++j) {
      EXPECT_EQ(up[j], control.tensor(i)[j]);
      ASSERT_NEAR(control.tensor(i)[j], -moved[j] / scale, 1e-4);
    }
  }
  // The next round starts from the same model, so that nothing but the correction differs.
  std::filesystem::copy_file(folder_ / "model-0", folder_ / "same");
  wire::WorkerTask next = Task(1);
  next.model_path = folder_ / "same";
  next.auxiliary_path = folder_ / "server";
  next.update_path = folder_ / "corrected";
  ASSERT_TRUE(tensor::WriteParameters(next.auxiliary_path, control).ok());  // c = c_i: no correction
  ASSERT_TRUE(Train(next).ok());
  const Digest neutral = *Sha256OfFile(next.update_path);
  ParameterVector doubled = control;
  for (float& value : doubled.values()) value *= 2;
  ASSERT_TRUE(tensor::WriteParameters(next.auxiliary_path, doubled).ok());
  ASSERT_TRUE(Train(next).ok());
  EXPECT_NE(*Sha256OfFile(next.update_path), neutral);
}

TEST_F(FederatedRoundTest, ARoundDoneAgainAfterAKillWritesTheSameBytes) {
  job_.federation.compression = {.scheme = tensor::Compression::kInt8};
  job_.federation.personal = {"*.norm.*"};
  for (const char* name : {"fedavg", "fedprox", "scaffold", "feddyn", "fednova", "qfedavg", "ditto"}) {
    SCOPED_TRACE(name);
    job_.federation.personalization = {};
    UseStrategy(name);
    wire::WorkerTask first = Task(0), second = Task(1);
    first.site = second.site = "a";
    first.update_path = folder_ / "update-0";
    second.model_path = first.model_path;  // the global model of round 1 is the coordinator's; any will do
    ASSERT_TRUE(Train(first).ok());
    Digest updates[2], states[2];
    for (int time = 0; time < 2; ++time) {
      const auto result = Train(second);
      ASSERT_TRUE(result.ok()) << result.status();
      updates[time] = *Sha256OfFile(second.update_path);
      states[time] = *Sha256OfFile(second.state_out);
    }
    EXPECT_EQ(updates[0], updates[1]);
    EXPECT_EQ(states[0], states[1]);
    second.site = "b";
    ASSERT_TRUE(Train(second).ok());
    EXPECT_NE(*Sha256OfFile(second.update_path), updates[0]) << "sites round at random independently";
  }
}

TEST_F(FederatedRoundTest, PersonalTensorsStayAtTheSiteAndAreBackInTheNextRound) {
  job_.federation.personal = {"*.norm.*"};
  ASSERT_TRUE(Train(Task(0)).ok());
  const ParameterVector update = File("model-1"), whole = File("model-0");
  const auto parts = SplitModel(whole.schema(), job_.federation.personal);
  ASSERT_TRUE(parts.ok());
  EXPECT_TRUE(update.schema().CheckSame(*parts->shared).ok()) << "nothing personal leaves";
  const SiteState after = StateAfter(0);
  const ParameterVector* own = after.Find(state_part::kPersonal);
  ASSERT_NE(own, nullptr);
  EXPECT_TRUE(own->schema().CheckSame(*parts->personal).ok());
  EXPECT_NE(own->digest(), Selected(whole, parts->personal)->digest()) << "they are trained";

  // With the site's parts in place the second round goes on as if nothing had been taken out.
  ASSERT_TRUE(Train(Task(1)).ok());
  ParameterVector continued = File("model-2");
  job_.federation.personal = {};
  wire::WorkerTask first = Task(0), second = Task(1);
  first.update_path = second.model_path = folder_ / "whole-1";
  first.state_out = second.state_in = folder_ / "whole-state-1";
  second.update_path = folder_ / "whole-2";
  ASSERT_TRUE(Train(first).ok());
  ASSERT_TRUE(Train(second).ok());
  EXPECT_EQ(continued.digest(), Selected(File("whole-2"), parts->shared)->digest());
}

TEST_F(FederatedRoundTest, APatternThatMatchesNothingOrEverythingIsAnErrorAndNothingIsWritten) {
  job_.federation.personal = {"*.nrom.*"};
  auto result = Train(Task(0));
  EXPECT_EQ(result.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(result.status().message(), HasSubstr("*.nrom.*"));
  job_.federation.personal = {"*"};
  result = Train(Task(0));
  EXPECT_EQ(result.code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "model-1"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "state-1"));
}

TEST_F(FederatedRoundTest, DittoWithoutPullIsLocalTrainingBesideTheSharedModel) {
  ASSERT_TRUE(Train(Task(0)).ok());
  const Digest plain = File("model-1").digest();
  UseStrategy("ditto", {{"lambda", 0}});
  const auto result = Train(Task(0));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(File("model-1").digest(), plain);
  EXPECT_EQ(StateAfter(0).Find(state_part::kDitto)->digest(), plain) << "both began as the received model";
  EXPECT_DOUBLE_EQ(result->metrics.at("personal_loss"), result->metrics.at("loss"));
  UseStrategy("ditto", {{"lambda", 5}});
  ASSERT_TRUE(Train(Task(0)).ok());
  EXPECT_EQ(File("model-1").digest(), plain) << "the personal model does not touch the shared one";
  EXPECT_NE(StateAfter(0).Find(state_part::kDitto)->digest(), plain);
}

TEST_F(FederatedRoundTest, FedNovaCountsItsStepsAndForgetsMomentumAndQFedAvgMeasuresWhatItReceived) {
  UseStrategy("fednova");
  job_.federation.local_momentum = wire::LocalMomentum::kReset;
  auto result = Train(Task(0));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_DOUBLE_EQ(result->metrics.at("tau"), EffectiveSteps(job_, 0, 1));
  EXPECT_EQ(result->metrics.at("steps"), kIterations);
  EXPECT_EQ(StateAfter(0).Find(state_part::kMomentum), nullptr);
  job_.federation.local_momentum = wire::LocalMomentum::kKeep;
  UseStrategy("qfedavg");
  result = Train(Task(0));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GE(result->metrics.at("loss_before"), 0);
  EXPECT_EQ(Train(Task(0))->metrics.at("loss_before"), result->metrics.at("loss_before"));
  EXPECT_FALSE(result->metrics.contains("tau"));
}

TEST_F(FederatedRoundTest, WhatErrorFeedbackOwesIsKeptAndPaidLater) {
  job_.federation.compression = {.scheme = tensor::Compression::kTopK, .fraction = 0.05, .error_feedback = true};
  wire::WorkerTask task = Task(0);
  ASSERT_TRUE(Train(task).ok());
  const SiteState after = StateAfter(0);
  ASSERT_NE(after.Find(state_part::kResidual), nullptr);
  EXPECT_FALSE(IsZero(*after.Find(state_part::kResidual)));
  const auto update = wire::UpdateReader::Open(task.update_path, File("model-0").shared_schema());
  ASSERT_TRUE(update.ok()) << update.status();
  EXPECT_EQ(update->kind(), wire::UpdateKind::kDelta) << "fedavg sends weights, but what is compressed is a difference";
  const Digest with = [&] {
    wire::WorkerTask next = Task(1);
    next.model_path = task.model_path;
    CONSILIUM_CHECK(Train(next).ok());
    return *Sha256OfFile(next.update_path);
  }();
  SiteState without = after;
  ParameterVector nothing = *after.Find(state_part::kResidual);
  for (float& value : nothing.values()) value = 0;
  without.Set(state_part::kResidual, nothing);
  ASSERT_TRUE(without.Write(task.state_out, wire::JobDigest(job_)).ok());
  wire::WorkerTask next = Task(1);
  next.model_path = task.model_path;
  ASSERT_TRUE(Train(next).ok());
  EXPECT_NE(*Sha256OfFile(next.update_path), with);
}

TEST_F(FederatedRoundTest, StateOfAnotherJobAndTensorsThatNobodyAskedForAreRefused) {
  ASSERT_TRUE(Train(Task(0)).ok());
  job_.train.seed += 1;
  auto result = Train(Task(1));
  EXPECT_EQ(result.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(result.status().message(), HasSubstr("another job"));
  wire::WorkerTask task = Task(0);
  task.auxiliary_path = task.model_path;
  result = Train(task);
  EXPECT_EQ(result.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(result.status().message(), HasSubstr("auxiliary"));
}

using PersonalizationTest = TinySiteTest;

TEST_F(PersonalizationTest, BothModelsAreEvaluatedDittosAlwaysAndTheFineTunedOneAfterTheLastRound) {
  for (const auto method : {wire::PersonalizationMethod::kDitto, wire::PersonalizationMethod::kFinetune}) {
    job_.federation.personalization = {.method = method, .iterations = 3, .learning_rate = 0.05, .lambda = 0.1};
    const bool ditto = method == wire::PersonalizationMethod::kDitto;
    const auto runner = MakeTrainingRunner();
    Recorder recorder;
    ASSERT_TRUE(runner->Run(TaskOf(wire::TaskKind::kTrain, 0), recorder).ok());
    for (const std::uint32_t round : {0U, 1U}) {
      wire::WorkerTask task = TaskOf(wire::TaskKind::kEvaluate, round);
      task.model_path = folder_ / "model-1";
      task.state_in = folder_ / "state-1";
      const auto result = runner->Run(task, recorder);
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_TRUE(result->metrics.contains("dice"));
      EXPECT_EQ(result->metrics.contains("personal_dice"), ditto || round == 1);
      EXPECT_EQ(result->metrics.contains("personal_dice.1"), ditto || round == 1);
      EXPECT_EQ(recorder.progress().back(), 1);
    }
    EXPECT_TRUE(std::filesystem::exists(folder_ / "predictions/personal/summary.json"));
    wire::WorkerTask foreign = TaskOf(wire::TaskKind::kValidate, 1);
    foreign.task.subject = "another-site";
    const auto result = runner->Run(foreign, recorder);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_FALSE(result->metrics.contains("personal_dice")) << "another site's model is looked at as it is";
  }
}

TEST_F(PersonalizationTest, ValidationLooksAtTheFoldAlsoWhereThereAreHeldOutCases) {
  Recorder recorder;
  const auto result = MakeTrainingRunner()->Run(TaskOf(wire::TaskKind::kValidate, 0), recorder);
  ASSERT_TRUE(result.ok()) << result.status();
  const auto data = LoadTrainData(job_, folder_.path());
  EXPECT_EQ(result->metrics.at("cases"), static_cast<double>(data->split.validation.size()));
  const auto summary = ReadJson(folder_ / "predictions/summary.json");
  ASSERT_TRUE(summary.ok()) << summary.status();
  for (const Json& one : (*summary)["metric_per_case"])
    EXPECT_THAT(one["reference_file"].get<std::string>(), HasSubstr("labelsTr"));
}

TEST_F(PersonalizationTest, AnEvaluationPutsTheSitesOwnPartsIntoTheModel) {
  // The site's own scale of every norm is 0: with it the network says the same everywhere.
  job_.federation.personal = {"*.norm.weight"};
  const auto model = tensor::ReadParameters(folder_ / "model-0");
  ASSERT_TRUE(model.ok());
  const auto parts = SplitModel(model->schema(), job_.federation.personal);
  ASSERT_TRUE(parts.ok()) << parts.status();
  SiteState state;
  state.Set(state_part::kPersonal, *ParameterVector::Zeros(parts->personal));
  ASSERT_TRUE(state.Write(folder_ / "state-0", wire::JobDigest(job_)).ok());
  wire::WorkerTask task = TaskOf(wire::TaskKind::kEvaluate, 0);
  Recorder recorder;
  const auto without = MakeTrainingRunner()->Run(task, recorder);
  ASSERT_TRUE(without.ok()) << without.status();
  task.state_in = folder_ / "state-0";
  const auto with = MakeTrainingRunner()->Run(task, recorder);
  ASSERT_TRUE(with.ok()) << with.status();
  EXPECT_NE(with->metrics.at("dice"), without->metrics.at("dice"));
}

}  // namespace
}  // namespace consilium::trainer
