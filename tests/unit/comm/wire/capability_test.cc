#include "comm/wire/capability.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/wire/job.h"

namespace consilium::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

JobSpec JobWith(const std::string& strategy) {
  JobSpec job;
  job.has_federation = true;
  job.federation.strategy = strategy;
  return job;
}

TEST(Capability, PlainFederatedAveragingNeedsNothingThatTheFirstVersionLacked) {
  EXPECT_THAT(FeaturesNeeded(JobWith("fedavg")), IsEmpty());
  EXPECT_EQ(WhyUnfit(Capability(), {}), "");
}

TEST(Capability, ASiteOfTheFirstVersionIsToldWhatItLacks) {
  JobSpec job = JobWith("scaffold");
  job.federation.personal = {"*.norm.*"};
  EXPECT_THAT(FeaturesNeeded(job), ElementsAre("auxiliary", "delta", "local:scaffold", "personal"));
  EXPECT_THAT(WhyUnfit(Capability(), FeaturesNeeded(job)), HasSubstr("local:scaffold"));
}

TEST(Capability, ThisBuildCanDoWhateverItsJobFileAsksFor) {
  Capability site;
  site.features = FeaturesOfThisBuild();
  for (const StrategySpec& strategy : Strategies()) {
    JobSpec job = JobWith(std::string(strategy.name));
    job.federation.personal = {"*.norm.*"};
    job.federation.local_momentum = LocalMomentum::kReset;
    job.federation.personalization.method = PersonalizationMethod::kFinetune;
    job.federation.compression.scheme = tensor::Compression::kInt8;
    job.model.architecture = "plan";
    EXPECT_EQ(WhyUnfit(site, FeaturesNeeded(job)), "") << strategy.name;
  }
}

}  // namespace
}  // namespace consilium::wire
