// Who tells a process its place, and what is said when the telling is incomplete.
#include <gtest/gtest.h>

#include "tests/unit/comm/collective/gang.h"

namespace consilium::collective {
namespace {

using Variables = std::map<std::string, std::string>;

StatusOr<Invitation> Resolve(const Variables& variables, const RendezvousFlags& flags = {}) {
  return ResolveInvitation(flags, MapEnvironment(variables));
}

void ExpectRefused(const Variables& variables, const std::vector<std::string>& named) {
  const StatusOr<Invitation> invitation = Resolve(variables);
  ASSERT_FALSE(invitation.ok());
  EXPECT_EQ(invitation.code(), StatusCode::kInvalidArgument);
  for (const std::string& name : named)
    EXPECT_NE(invitation.status().message().find(name), std::string::npos) << invitation.status();
}

const Variables kTorchrun = {{"RANK", "3"},
                             {"WORLD_SIZE", "8"},
                             {"LOCAL_RANK", "1"},
                             {"LOCAL_WORLD_SIZE", "2"},
                             {"MASTER_ADDR", "node0"},
                             {"MASTER_PORT", "4711"}};
const Variables kOpenMpi = {{"OMPI_COMM_WORLD_RANK", "3"},
                            {"OMPI_COMM_WORLD_SIZE", "8"},
                            {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                            {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}};
const Variables kSlurm = {
    {"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "3"}, {"SLURM_STEP_NUM_TASKS", "8"}, {"SLURM_LOCALID", "1"}};

Variables With(Variables variables, const Variables& more) {
  for (const auto& [name, value] : more) variables[name] = value;
  return variables;
}
Variables Without(Variables variables, const std::string& name) {
  variables.erase(name);
  return variables;
}

TEST(Invitation, WithoutALauncherThereIsOneProcess) {
  const auto invitation = Resolve({});
  ASSERT_TRUE(invitation.ok());
  EXPECT_EQ(invitation.value().place.world, 1);
  EXPECT_EQ(invitation.value().source, "no launcher");
}

TEST(Invitation, TorchrunGivesPlaceAddressAndAttempt) {
  const auto invitation = Resolve(With(kTorchrun, {{"TORCHELASTIC_RESTART_COUNT", "2"}}));
  ASSERT_TRUE(invitation.ok()) << invitation.status();
  EXPECT_EQ(invitation.value().place.rank, 3);
  EXPECT_EQ(invitation.value().place.world, 8);
  EXPECT_EQ(invitation.value().place.local_rank, 1);
  EXPECT_EQ(invitation.value().place.local_world, 2);
  EXPECT_EQ(invitation.value().host, "node0");
  EXPECT_EQ(invitation.value().port, 4711);
  EXPECT_EQ(invitation.value().attempt, 2);
  EXPECT_FALSE(invitation.value().store_is_elsewhere);
}

TEST(Invitation, TorchrunsAgentMayHoldTheStore) {
  const auto invitation = Resolve(With(kTorchrun, {{"TORCHELASTIC_USE_AGENT_STORE", "True"}}));
  ASSERT_TRUE(invitation.ok());
  EXPECT_TRUE(invitation.value().store_is_elsewhere);
}

TEST(Invitation, OpenMpiGivesThePlaceAndLeavesTheAddressToMpi) {
  const auto invitation = Resolve(kOpenMpi);
  ASSERT_TRUE(invitation.ok()) << invitation.status();
  EXPECT_EQ(invitation.value().place.rank, 3);
  EXPECT_EQ(invitation.value().source, "Open MPI");
  EXPECT_EQ(invitation.value().host, "");
}

TEST(Invitation, AnAddressGivenUnderOpenMpiIsTaken) {
  const auto invitation = Resolve(With(kOpenMpi, {{"MASTER_ADDR", "node0"}, {"MASTER_PORT", "4711"}}));
  ASSERT_TRUE(invitation.ok());
  EXPECT_EQ(invitation.value().host, "node0");
}

TEST(Invitation, SlurmIsHeardInsideAStepOnly) {
  const auto inside = Resolve(kSlurm);
  ASSERT_TRUE(inside.ok()) << inside.status();
  EXPECT_EQ(inside.value().place.world, 8);
  EXPECT_EQ(inside.value().source, "Slurm");
  const auto batch_script = Resolve(Without(kSlurm, "SLURM_STEP_ID"));
  ASSERT_TRUE(batch_script.ok());
  EXPECT_EQ(batch_script.value().place.world, 1);
}

TEST(Invitation, FlagsWinOverEveryEnvironment) {
  RendezvousFlags flags;
  flags.rank = 1;
  flags.world = 2;
  flags.address = "[::1]:4711";
  const auto invitation = Resolve(kTorchrun, flags);
  ASSERT_TRUE(invitation.ok()) << invitation.status();
  EXPECT_EQ(invitation.value().place.world, 2);
  EXPECT_EQ(invitation.value().host, "::1");
  EXPECT_EQ(invitation.value().port, 4711);
}

TEST(Invitation, IncompleteFlagsAreRefused) {
  RendezvousFlags flags;
  flags.rank = 1;
  EXPECT_EQ(Resolve({}, flags).code(), StatusCode::kInvalidArgument);
  flags.world = 2;
  EXPECT_EQ(Resolve({}, flags).code(), StatusCode::kInvalidArgument);  // no address
  for (const char* address : {"host", ":1", "host:", "host:0", "host:65536", "host:1x"}) {
    flags.address = address;
    EXPECT_EQ(Resolve({}, flags).code(), StatusCode::kInvalidArgument) << address;
  }
}

TEST(Invitation, AnIncompleteSetNamesWhatIsThereAndWhatIsMissing) {
  ExpectRefused(Without(kTorchrun, "RANK"), {"RANK", "WORLD_SIZE"});
  ExpectRefused(Without(kTorchrun, "WORLD_SIZE"), {"RANK", "WORLD_SIZE"});
  ExpectRefused(Without(kTorchrun, "MASTER_PORT"), {"MASTER_ADDR", "MASTER_PORT"});
  ExpectRefused(Without(Without(kTorchrun, "MASTER_PORT"), "MASTER_ADDR"), {"MASTER_ADDR", "MASTER_PORT"});
  ExpectRefused(Without(kOpenMpi, "OMPI_COMM_WORLD_SIZE"), {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"});
  ExpectRefused(Without(kSlurm, "SLURM_STEP_NUM_TASKS"), {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"});
}

TEST(Invitation, AContradictionNamesItsVariables) {
  ExpectRefused(With(kTorchrun, {{"RANK", "8"}}), {"RANK=8", "WORLD_SIZE=8"});
  ExpectRefused(With(kTorchrun, {{"LOCAL_RANK", "2"}}), {"local rank 2"});
  ExpectRefused(With(With(kTorchrun, kOpenMpi), {{"RANK", "0"}}), {"RANK=0", "OMPI_COMM_WORLD_RANK=3"});
}

TEST(Invitation, TorchrunStartedByMpirunOnceANodeIsNoContradiction) {
  EXPECT_TRUE(Resolve(With(With(kTorchrun, kOpenMpi), {{"RANK", "0"}, {"TORCHELASTIC_RUN_ID", "x"}})).ok());
}

TEST(Invitation, AVariableThatIsNoNumberIsNamedWithItsValue) {
  for (const char* value : {"", "x", "1x", "-1", "1.5", "99999999999999999999"})
    ExpectRefused(With(kTorchrun, {{"RANK", value}}), {"RANK", Concat("'", value, "'")});
  ExpectRefused(With(kTorchrun, {{"WORLD_SIZE", "0"}}), {"WORLD_SIZE"});
  ExpectRefused(With(kTorchrun, {{"MASTER_PORT", "65536"}}), {"MASTER_PORT"});
}

}  // namespace
}  // namespace consilium::collective
