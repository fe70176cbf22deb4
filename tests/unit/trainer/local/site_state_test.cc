#include "trainer/local/site_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "comm/tensor/safetensors.h"
#include "tests/testing/run_program.h"

namespace consilium::trainer {
namespace {

using tensor::ParameterVector;
using ::testing::HasSubstr;

ParameterVector Vector(std::vector<tensor::TensorSpec> specs, float first) {
  auto schema = tensor::Schema::Create(std::move(specs));
  auto vector = ParameterVector::Zeros(std::make_shared<const tensor::Schema>(*schema));
  for (float& value : vector->values()) value = first++;
  return *vector;
}

const std::vector<tensor::TensorSpec> kModel = {{"conv.weight", tensor::DType::kF32, {2, 3}},
                                                {"norm.bias", tensor::DType::kF32, {2}}};

class SiteStateTest : public ::testing::Test {
 protected:
  const Digest job_ = Sha256Of("a job");
  consilium::testing::ScratchFolder folder_;
  const std::filesystem::path path_ = folder_ / "state";
};

TEST_F(SiteStateTest, WhatIsWrittenIsReadAndEqualStatesAreEqualFiles) {
  SiteState state;
  state.Set(state_part::kMomentum, Vector(kModel, 1));
  state.Set(state_part::kPersonal, Vector({kModel[1]}, 100));
  ASSERT_TRUE(state.Write(path_, job_).ok());
  const auto read = SiteState::Read(path_, job_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->Find(state_part::kMomentum)->digest(), Vector(kModel, 1).digest());
  EXPECT_EQ(read->Find(state_part::kPersonal)->digest(), Vector({kModel[1]}, 100).digest());
  EXPECT_EQ(read->Find(state_part::kControl), nullptr);
  ASSERT_TRUE(read->Write(folder_ / "again", job_).ok());
  EXPECT_EQ(*Sha256OfFile(path_), *Sha256OfFile(folder_ / "again"));
}

TEST_F(SiteStateTest, AnEmptyStateIsAFileToo) {
  ASSERT_TRUE(SiteState().Write(path_, job_).ok());
  const auto read = SiteState::Read(path_, job_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->Find(state_part::kMomentum), nullptr);
}

TEST_F(SiteStateTest, AStateOfAnotherJobOrVersionIsRefusedWithTheMend) {
  ASSERT_TRUE(SiteState().Write(path_, Sha256Of("another job")).ok());
  auto read = SiteState::Read(path_, job_);
  EXPECT_EQ(read.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(read.status().message(), HasSubstr("another job"));
  EXPECT_THAT(read.status().message(), HasSubstr("remove the job's folder"));
  ASSERT_TRUE(tensor::WriteParameters(path_, Vector(kModel, 0), {{"consilium.state", "2"}}).ok());
  read = SiteState::Read(path_, job_);
  EXPECT_EQ(read.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(read.status().message(), HasSubstr("version 2"));
}

TEST_F(SiteStateTest, WhatIsNoStateOrDamagedIsDataLoss) {
  EXPECT_EQ(SiteState::Read(path_, job_).code(), StatusCode::kNotFound);
  ASSERT_TRUE(tensor::WriteParameters(path_, Vector(kModel, 0)).ok());  // a model, no state
  EXPECT_EQ(SiteState::Read(path_, job_).code(), StatusCode::kDataLoss);
  const tensor::Metadata metadata = {{"consilium.state", "1"}, {"consilium.job", job_.ToHex()}};
  for (const char* name : {"nothing/known", "momentum", "momentum/"}) {
    ASSERT_TRUE(tensor::WriteParameters(path_, Vector({{name, tensor::DType::kF32, {2}}}, 0), metadata).ok());
    EXPECT_EQ(SiteState::Read(path_, job_).code(), StatusCode::kDataLoss) << name;
  }
  SiteState state;
  state.Set(state_part::kMomentum, Vector(kModel, 1));
  ASSERT_TRUE(state.Write(path_, job_).ok());
  const auto size = std::filesystem::file_size(path_);
  for (std::uintmax_t length = 0; length < size; length += 7) {
    std::filesystem::resize_file(path_, length);
    EXPECT_EQ(SiteState::Read(path_, job_).code(), StatusCode::kDataLoss) << length << " bytes of " << size;
    ASSERT_TRUE(state.Write(path_, job_).ok());
  }
}

TEST_F(SiteStateTest, AMissingPartIsZeroAndOneOfAnotherModelIsRefused) {
  SiteState state;
  const auto model = Vector(kModel, 1).shared_schema();
  const auto zero = state.Take(state_part::kMomentum, model);
  ASSERT_TRUE(zero.ok());
  EXPECT_THAT(zero->values(), ::testing::Each(0.0F));
  state.Set(state_part::kMomentum, Vector({kModel[0]}, 1));
  const auto other = state.Take(state_part::kMomentum, model);
  EXPECT_EQ(other.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(other.status().message(), HasSubstr("norm.bias"));
}

}  // namespace
}  // namespace consilium::trainer
