#include "comm/wire/strategy.h"

#include <gtest/gtest.h>

#include <set>

#include "comm/base/file.h"
#include "comm/wire/job.h"

namespace consilium::wire {
namespace {

constexpr char kJob[] = R"(
name: job
data: {dataset: Dataset004_Hippocampus}
model: {patch_size: [40, 56, 40]}
federation:
  sites: {min: 3, names: [a, b, c]}
)";

StatusOr<JobSpec> Parse(const std::vector<std::string>& assignments) {
  ASSIGN_OR_RETURN(ConfigNode root, ConfigNode::Parse(kJob, "job.yaml"));
  for (const std::string& assignment : assignments) RETURN_IF_ERROR(root.Set("federation." + assignment));
  return ParseJob(root);
}

TEST(StrategyCatalogue, NamesAreUniqueAndEveryDefaultIsInRange) {
  std::set<std::string_view> names;
  for (const StrategySpec& spec : Strategies()) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
    EXPECT_EQ(FindStrategy(spec.name), &spec);
    EXPECT_FALSE(spec.summary.empty() || spec.paper.empty()) << spec.name;
    std::set<std::string_view> parameters = {"name", "weighting", "groups", "matrix"};  // keys of the section itself
    for (const StrategyParameter& parameter : spec.parameters) {
      EXPECT_TRUE(parameters.insert(parameter.name).second) << spec.name << " " << parameter.name;
      EXPECT_LE(parameter.min, parameter.value) << spec.name << " " << parameter.name;
      EXPECT_LE(parameter.value, parameter.max) << spec.name << " " << parameter.name;
      EXPECT_FALSE(parameter.meaning.empty()) << spec.name << " " << parameter.name;
    }
  }
  EXPECT_EQ(FindStrategy("fedsgd"), nullptr);
}

TEST(StrategyCatalogue, EveryStrategyIsReadWithItsDefaults) {
  for (const StrategySpec& spec : Strategies()) {
    const StatusOr<JobSpec> job = Parse({Concat("strategy.name=", spec.name), "sites={min: 7}"});
    ASSERT_TRUE(job.ok()) << job.status();
    EXPECT_EQ(job->federation.weighting, spec.weighting == Weighting::kEqual ? "equal" : "examples");
    for (const StrategyParameter& parameter : spec.parameters)
      if (parameter.name != "lipschitz") {  // it follows the learning rate
        EXPECT_EQ(ParameterOf(job->federation, parameter.name), parameter.value) << spec.name << " " << parameter.name;
      }
    const StatusOr<ConfigNode> again = ConfigNode::Parse(JobToYaml(*job), "resolved");
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(JobToYaml(ParseJob(*again).value()), JobToYaml(*job));
  }
}

TEST(StrategyCatalogue, TheGuideListsEveryStrategyAndParameter) {
  const StatusOr<std::string> guide = ReadFile(std::filesystem::path(CONSILIUM_SOURCE_DIR) / "docs/job-file.md");
  ASSERT_TRUE(guide.ok()) << guide.status();
  for (const StrategySpec& spec : Strategies()) {
    EXPECT_NE(guide->find(Concat("`", spec.name, "`")), std::string::npos) << spec.name;
    for (const StrategyParameter& parameter : spec.parameters)
      EXPECT_NE(guide->find(Concat("`", parameter.name, "` (")), std::string::npos)
          << spec.name << " " << parameter.name;
  }
}

TEST(StrategyCatalogue, AWrongNameSaysWhatExists) {
  const Status near = Parse({"strategy.name=fedavgg"}).status();
  EXPECT_EQ(near.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(near.message().find("(did you mean 'fedavg'?)"), std::string::npos) << near;
  const Status far = Parse({"strategy.name=magic"}).status();
  for (const std::string& name : StrategyNames()) EXPECT_NE(far.message().find(name), std::string::npos) << name;
}

TEST(StrategyCatalogue, AWrongParameterOrValueSaysWhatWasExpected) {
  const Status unknown = Parse({"strategy.mu=1"}).status();
  EXPECT_EQ(unknown.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(unknown.message().find("known: name, weighting"), std::string::npos) << unknown;
  for (const StrategySpec& spec : Strategies()) {
    for (const StrategyParameter& parameter : spec.parameters) {
      const std::string name = Concat("strategy.name=", spec.name);
      for (const std::string& value :
           {Concat(parameter.max * 2 + 1), Concat(parameter.min - 1), std::string("much"), std::string("nan")}) {
        const Status status = Parse({name, "sites={min: 9}", Concat("strategy.", parameter.name, "=", value)}).status();
        EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << spec.name << " " << parameter.name << " " << value;
        EXPECT_NE(status.message().find(parameter.name), std::string::npos) << status;
      }
    }
  }
}

TEST(StrategyCatalogue, RobustRulesSayHowManyUpdatesTheyNeed) {
  const auto needed = [](std::string_view name, const StrategyParameters& changes) {
    const StrategySpec& spec = *FindStrategy(name);
    StrategyParameters parameters = DefaultParameters(spec);
    for (const auto& [key, value] : changes) parameters.at(key) = value;
    return UpdatesNeededBy(spec, parameters).count;
  };
  EXPECT_EQ(needed("fedavg", {}), 1);
  EXPECT_EQ(needed("krum", {}), 3);
  EXPECT_EQ(needed("krum", {{"byzantine", 0}}), 1);
  EXPECT_EQ(needed("multi_krum", {{"byzantine", 2}}), 5);
  EXPECT_EQ(needed("multi_krum", {{"byzantine", 1}, {"select", 6}}), 6);
  EXPECT_EQ(needed("bulyan", {}), 7);
  EXPECT_EQ(needed("bulyan", {{"byzantine", 2}}), 11);
}

}  // namespace
}  // namespace consilium::wire
