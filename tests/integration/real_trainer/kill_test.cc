// The real trainer, client and coordinator, killed in turn: the final weights are those of the undisturbed run.
#include "tests/integration/real_trainer/real_trial.h"

namespace consilium {
namespace {

Digest Undisturbed(const RealTrialOptions& options) {
  RealTrial trial(options);
  trial.Start();
  return trial.AwaitWeights().digest();
}

// In mode wait: a trainer in its steps, the coordinator with one update in, a client whose trainer works.
Digest Disturbed(const RealTrialOptions& options) {
  RealTrial trial(options);
  trial.Start();
  trial.AwaitTraining("b", 0);
  const std::vector<pid_t> trainers = AwaitTrainers(trial.state("b"), 1);
  EXPECT_EQ(trainers.size(), 1u);
  for (const pid_t trainer : trainers) EXPECT_EQ(::kill(trainer, SIGKILL), 0);

  trial.Await({{"event", "update_accepted"}, {"round", 1}});
  trial.federation().KillCoordinator();
  EXPECT_TRUE(trial.federation().StartCoordinator().ok());

  trial.AwaitTraining("c", 2);
  trial.federation().KillClient("c");
  EXPECT_TRUE(AwaitTrainers(trial.state("c"), 0).empty()) << "the trainer outlives its client";
  EXPECT_TRUE(trial.federation().RestartClient("c").ok());
  return trial.AwaitWeights().digest();
}

TEST(RealTrainer, KillingTrainerCoordinatorAndClientInTurnLeavesTheFinalWeightsUnchanged) {
  RealTrialOptions options;
  options.iterations = 60;
  const Digest undisturbed = Undisturbed(options);
  EXPECT_EQ(Disturbed(options), undisturbed);
}

}  // namespace
}  // namespace consilium
