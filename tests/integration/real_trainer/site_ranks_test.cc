// A site that is a cluster: its client starts the trainer under mpirun.  To the federation it is one site, whose
// weights are those of one process.
#include <cmath>

#include "tests/integration/real_trainer/real_trial.h"

namespace consilium {
namespace {

// f32 sums in another order, carried through the rounds.
constexpr double kTolerance = 1e-5;

RealTrialOptions Ranks(int count) {
  RealTrialOptions options;
  options.sites = {"a"};
  options.rounds = 2;
  options.iterations = 4;
  if (count == 1) return options;
  options.client_arguments = {"--ranks", std::to_string(count), "--mpirun-args=--oversubscribe"};
  // Root may not attach to its own processes everywhere, and is asked twice whether it means it.
  options.environment = {{"OMPI_MCA_btl", "self,vader"},
                         {"OMPI_MCA_btl_vader_single_copy_mechanism", "none"},
                         {"OMPI_ALLOW_RUN_AS_ROOT", "1"},
                         {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"}};
  return options;
}

tensor::ParameterVector Train(const RealTrialOptions& options) {
  RealTrial trial(options);
  trial.Start();
  return trial.AwaitWeights();
}

TEST(SiteRanks, TwoRanksAreOneSiteWithTheWeightsOfOneProcessAndRepeatBitForBit) {
  const tensor::ParameterVector one = Train(Ranks(1)), two = Train(Ranks(2));
  ASSERT_TRUE(one.schema().CheckSame(two.schema()).ok());
  double largest = 0;
  for (std::size_t i = 0; i < one.values().size(); ++i)
    largest = std::max(largest, std::abs(double{one.values()[i]} - two.values()[i]));
  EXPECT_LT(largest, kTolerance);
  EXPECT_EQ(Train(Ranks(2)).digest(), two.digest());
}

TEST(SiteRanks, AfterTheDeathOfARankTheRoundIsDoneAgainWithTheSameWeights) {
  RealTrialOptions options = Ranks(2);
  options.iterations = 150;
  const Digest undisturbed = Train(options).digest();
  RealTrial trial(options);
  trial.Start();
  trial.AwaitTraining("a", 0);
  const std::vector<pid_t> ranks = AwaitTrainers(trial.state("a"), 2);
  ASSERT_EQ(ranks.size(), 2u);
  ASSERT_EQ(::kill(ranks[1], SIGKILL), 0);
  EXPECT_EQ(trial.AwaitWeights().digest(), undisturbed);
  const std::string log = ReadFile(trial.federation().log("a")).value();
  EXPECT_NE(log.find("trainer_died"), std::string::npos) << log;
}

TEST(SiteRanks, KillingTheClientEndsEveryRankAndTheNextClientGoesOn) {
  RealTrialOptions options = Ranks(2);
  options.iterations = 150;
  RealTrial trial(options);
  trial.Start();
  trial.AwaitTraining("a", 0);
  ASSERT_EQ(AwaitTrainers(trial.state("a"), 2).size(), 2u);
  trial.federation().KillClient("a");
  EXPECT_TRUE(AwaitTrainers(trial.state("a"), 0).empty());
  ASSERT_TRUE(trial.federation().RestartClient("a").ok());
  EXPECT_GT(trial.AwaitWeights().values().size(), 0u);
}

}  // namespace
}  // namespace consilium
