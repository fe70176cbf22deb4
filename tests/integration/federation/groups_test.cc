// Group secure aggregation between real processes: 24 clients with stub trainers, one of which sends nonsense, summed
// in four groups whose means' median is the model.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "comm/base/file.h"
#include "comm/base/rng.h"
#include "comm/tensor/safetensors.h"
#include "tests/testing/local_federation.h"
#include "tests/testing/run_program.h"

namespace consilium {
namespace {

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(150);
constexpr std::int64_t kValues = 3000;
constexpr char kLoud[] = "s17";
constexpr float kLoudness = 3.5f;  // below the clip of 4

// What the stub of this site trains in round 0 of a job (tests/testing/stub_trainer.cc).
std::vector<float> UpdateOf(const std::string& site) {
  const Digest next = Sha256Of(Concat("/", site, "/", 0));
  std::uint64_t seed = 0;
  std::memcpy(&seed, next.bytes.data(), sizeof seed);
  Rng rng(seed);
  std::vector<float> update;
  for (std::int64_t k = 0; k < kValues; ++k) {
    const auto step = static_cast<float>(0.1 * rng.Normal());
    update.push_back(site == kLoud ? kLoudness : step);
  }
  return update;
}

TEST(GroupedSecureAggregation, GivesTheMedianOfTheMeansOfGroupsThatNobodyChose) {
  testing::ScratchFolder scratch;
  std::vector<std::string> sites;
  for (int i = 0; i < 24; ++i) sites.push_back(Concat("s", 10 + i));
  const std::string yaml =
      "name: trial\ndata: {dataset: Dataset001_Toy}\nmodel: {patch_size: [8, 8, 8]}\n"
      "federation:\n  rounds: 1\n  round_deadline: 120s\n  strategy: {name: median}\n"
      "  secure_aggregation: {enabled: true, groups: 4}\n";
  ASSERT_TRUE(WriteFileAtomic(scratch / "job.yaml", std::string_view(yaml)).ok());
  const auto schema = std::make_shared<const tensor::Schema>(
      tensor::Schema::Create({{"layer.weight", tensor::DType::kF32, {3, 1000}}}).value());
  const fs::path model = scratch / "initial.safetensors";
  ASSERT_TRUE(tensor::WriteParameters(model, tensor::ParameterVector::Zeros(schema).value()).ok());
  StatusOr<testing::LocalFederation> federation =
      testing::LocalFederation::Create({.folder = scratch / "federation",
                                        .sites = sites,
                                        .job = scratch / "job.yaml",
                                        .initial_model = model,
                                        .trainer = fs::path(CONSILIUM_BIN_DIR) / "stub-trainer"});
  ASSERT_TRUE(federation.ok()) << federation.status();
  ASSERT_TRUE(federation->StartCoordinator().ok());
  for (const std::string& site : sites) {
    const fs::path data = scratch / ("data-" + site);
    ASSERT_TRUE(MakeDirectories(data).ok());
    ASSERT_TRUE(WriteJson(data / "stub.json", {{"site", site}, {"loud", site == kLoud ? kLoudness : 0.0f}}).ok());
    ASSERT_TRUE(federation->StartClient(site, data).ok());
  }
  const StatusOr<Json> result = federation->AwaitResult(kPatience);
  ASSERT_TRUE(result.ok()) << result.status();

  std::map<int, std::vector<std::string>> groups;
  std::size_t beacons = 0;
  for (const Json& event : federation->Events()) {
    beacons += event["event"] == "beacon_agreed";
    if (event["event"] == "group_summed")
      groups[event["group"].get<int>()] = event["sites"].get<std::vector<std::string>>();
  }
  EXPECT_EQ(beacons, 1u);
  ASSERT_EQ(groups.size(), 4u);
  std::set<std::string> seen;
  std::vector<std::vector<double>> means;
  for (const auto& [group, members] : groups) {
    EXPECT_GE(members.size(), 5u);
    std::vector<double>& mean = means.emplace_back(kValues);
    for (const std::string& site : members) {
      EXPECT_TRUE(seen.insert(site).second) << site << " is in two groups";
      const std::vector<float> update = UpdateOf(site);
      for (std::size_t k = 0; k < mean.size(); ++k)
        mean[k] += static_cast<double>(update[k]) / static_cast<double>(members.size());
    }
  }
  const StatusOr<tensor::ParameterVector> final_model =
      tensor::ReadParameters(federation->job_folder() / "model_final.safetensors");
  ASSERT_TRUE(final_model.ok()) << final_model.status();
  ASSERT_EQ(final_model->values().size(), static_cast<std::size_t>(kValues));
  double worst = 0, sum = 0;
  for (std::size_t k = 0; k < static_cast<std::size_t>(kValues); ++k) {
    std::vector<double> column;
    for (const std::vector<double>& mean : means) column.push_back(mean[k]);
    std::ranges::sort(column);
    const auto value = static_cast<double>(final_model->values()[k]);
    worst = std::max(worst, std::fabs(value - (column[1] + column[2]) / 2));
    sum += value;
  }
  EXPECT_LT(worst, 1e-6) << "a site's values are rounded to 4 / 2^26";
  // The mean of all sites would be off by 3.5 / 24 = 0.15 in every value, and the mean of the loud one's group is by
  // 0.58.
  EXPECT_LT(std::fabs(sum / static_cast<double>(kValues)), 0.05);
}

}  // namespace
}  // namespace consilium
