// A federation of one site with one local epoch a round is plain training, bit for bit: same data, same job file, one
// through coordinator, certificates, blobs and a worker, the other in one process.
#include <gtest/gtest.h>

#include "comm/tensor/safetensors.h"
#include "tests/testing/local_federation.h"
#include "tests/testing/run_program.h"
#include "tests/testing/tiny_dataset.h"

namespace consilium {
namespace {

namespace fs = std::filesystem;

constexpr char kSite[] = "hospital-a";

TEST(OneSiteFederation, EqualsPlainTrainingBitForBit) {
  testing::ScratchFolder scratch;
  const fs::path data = scratch / "data", job = scratch / "job.yaml", model = scratch / "initial.safetensors",
                 run = scratch / "run";
  ASSERT_TRUE(testing::WriteTinyDataset(data).ok());
  ASSERT_TRUE(
      WriteFileAtomic(
          job, testing::TinyJobYaml("one-site", 1, 2) +
                   "federation: {rounds: 3, mode: wait, sites: {min: 1, names: [hospital-a]}, local: {epochs: 1}}\n")
          .ok());

  const testing::ProgramResult init = testing::RunProgram(
      {"consilium-trainer", "init", job.string(), "--data", data.string(), "--output", model.string()},
      scratch / "init.log");
  ASSERT_EQ(init.exit_code, 0) << init.output;
  const testing::ProgramResult plain = testing::RunProgram(
      {"consilium-trainer", "train", job.string(), "--data", data.string(), "--output", run.string()},
      scratch / "train.log");
  ASSERT_EQ(plain.exit_code, 0) << plain.output;

  StatusOr<testing::LocalFederation> federation = testing::LocalFederation::Create(
      {.folder = scratch / "federation", .sites = {kSite}, .job = job, .initial_model = model});
  ASSERT_TRUE(federation.ok()) << federation.status();
  const Status coordinator = federation->StartCoordinator();
  ASSERT_TRUE(coordinator.ok()) << coordinator;
  ASSERT_TRUE(federation->StartClient(kSite, data).ok());
  const Status end = federation->AwaitResult(std::chrono::seconds(120)).status();
  ASSERT_TRUE(end.ok()) << end;

  const auto initial = tensor::ReadParameters(model);
  const auto central = tensor::ReadParameters(run / "checkpoint_final.safetensors");
  const auto federated = tensor::ReadParameters(federation->job_folder() / "model_final.safetensors");
  ASSERT_TRUE(initial.ok() && central.ok() && federated.ok());
  ASSERT_TRUE(central->schema().CheckSame(federated->schema()).ok());
  EXPECT_NE(central->digest(), initial->digest()) << "nothing was trained";
  EXPECT_EQ(central->digest(), federated->digest());
}

}  // namespace
}  // namespace consilium
