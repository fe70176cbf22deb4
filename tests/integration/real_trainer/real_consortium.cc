#include "tests/integration/real_trainer/real_consortium.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "comm/tensor/safetensors.h"
#include "tests/testing/tiny_dataset.h"

namespace consilium {
namespace {

namespace fs = std::filesystem;

constexpr char kOperator[] = "ann";

std::vector<Json> ReadLines(const fs::path& path) {
  std::vector<Json> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line) && !in.eof();)
    if (StatusOr<Json> json = ParseJson(line, path.string()); json.ok()) lines.push_back(*std::move(json));
  return lines;
}

tensor::ParameterVector ReadWeights(const fs::path& path) {
  auto weights = tensor::ReadParameters(path);
  EXPECT_TRUE(weights.ok()) << weights.status();
  return weights.ok() ? *std::move(weights) : tensor::ParameterVector();
}

}  // namespace

RealConsortium::RealConsortium(const Options& options) : options_(options) {
  std::uint64_t seed = 0;
  for (const auto& [site, cases] : std::map<std::string, std::int64_t>{{"a", 5}, {"b", 6}, {"c", 9}})
    EXPECT_TRUE(testing::WriteTinyDataset(data(site), {.cases = cases, .seed = ++seed}).ok());
  const fs::path job = scratch_ / "initial.yaml";
  EXPECT_TRUE(WriteFileAtomic(job, testing::TinyJobYaml("initial", 1, 1)).ok());
  const testing::ProgramResult init =
      testing::RunProgram({"consilium-trainer", "init", job.string(), "--data", data("a").string(), "--output",
                           (scratch_ / "initial.safetensors").string()},
                          scratch_ / "init.log");
  EXPECT_EQ(init.exit_code, 0) << init.output;
  auto made = testing::LocalFederation::Create({.folder = scratch_ / "federation",
                                                .sites = {"a", "b", "c"},
                                                .operators = {{kOperator, {"submit", "view"}}},
                                                .coordinator_arguments = {"--jobs-max", "64"}});
  EXPECT_TRUE(made.ok()) << made.status();
  federation_.emplace(*std::move(made));
}

void RealConsortium::StartCoordinator() {
  const Status started = federation().StartCoordinator();
  ASSERT_TRUE(started.ok()) << started;
}

void RealConsortium::StartClient(const std::string& site) {
  ASSERT_TRUE(federation().StartClient(site, data(site)).ok());
}

void RealConsortium::Start() {
  StartCoordinator();
  for (const char* site : {"a", "b", "c"}) StartClient(site);
}

void RealConsortium::Submit(const std::string& job, const std::vector<std::string>& federation,
                            const std::vector<std::string>& sites, const std::vector<std::string>& more) {
  std::string yaml = testing::TinyJobYaml(job, 1, options_.iterations);
  for (const std::string& line : more) yaml += line + "\n";
  yaml += Concat("federation:\n  rounds: ", options_.rounds, "\n  sites: {min: ", sites.size(),
                 ", names: ", Json(sites).dump(), "}\n");
  for (const std::string& line : federation) yaml += "  " + line + "\n";
  const fs::path path = scratch_ / (job + ".yaml");
  ASSERT_TRUE(WriteFileAtomic(path, yaml).ok());
  const testing::ProgramResult submitted = testing::RunProgram(
      {"consilium", "submit", path.string(), "--initial-model", (scratch_ / "initial.safetensors").string(), "--kit",
       federation_->kit(kOperator).string(), "--coordinator", Concat("127.0.0.1:", federation_->port())},
      scratch_ / (job + ".submit"));
  ASSERT_EQ(submitted.exit_code, 0) << submitted.output << yaml;
}

bool RealConsortium::IsOver(const std::string& job) const {
  return fs::exists(federation_->job_folder(job) / "result.json");
}

Json RealConsortium::AwaitResult(const std::string& job) {
  const Instant deadline = SystemClock().Now() + kJobPatience;
  while (!IsOver(job) && SystemClock().Now() < deadline) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const StatusOr<Json> result = ReadJson(federation_->job_folder(job) / "result.json");
  EXPECT_TRUE(result.ok()) << result.status() << federation_->Logs();
  if (!result.ok()) return Json::object();
  EXPECT_EQ((*result)["code"], "ok") << job << ": " << *result;
  return *result;
}

void RealConsortium::AwaitEvent(const std::string& job, const Json& wanted) {
  const Instant deadline = SystemClock().Now() + kJobPatience;
  while (SystemClock().Now() < deadline) {
    for (const Json& line : ReadLines(federation_->job_folder(job) / "events.jsonl"))
      if (testing::Matches(line, wanted)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL() << job << ": no " << wanted << "\n" << federation_->Logs();
}

std::vector<Json> RealConsortium::Rounds(const std::string& job) const {
  return ReadLines(federation_->job_folder(job) / "metrics.jsonl");
}

tensor::ParameterVector RealConsortium::Weights(const std::string& job) const {
  return ReadWeights(federation_->job_folder(job) / "model_final.safetensors");
}

tensor::ParameterVector RealConsortium::InitialWeights() const { return ReadWeights(scratch_ / "initial.safetensors"); }

}  // namespace consilium
