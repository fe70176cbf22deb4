#include "coordinator/service/job_opening.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/tensor/safetensors.h"
#include "tests/testing/run_program.h"

namespace consilium::coordinator {
namespace {

using ::testing::HasSubstr;

class JobOpening : public ::testing::Test {
 protected:
  JobOpening() : blobs_(transport::BlobStore::Open(scratch_ / "state/blobs").value()) {
    const auto schema =
        std::make_shared<const tensor::Schema>(tensor::Schema::Create({{"w", tensor::DType::kF32, {9}}}).value());
    EXPECT_TRUE(tensor::WriteParameters(scratch_ / "model", tensor::ParameterVector::Zeros(schema).value()).ok());
    request_ = {.state = scratch_ / "state",
                .job_file = scratch_ / "job.yaml",
                .initial_model = scratch_ / "model",
                .roster = {SiteName("a"), SiteName("b")}};
    WriteJob("rounds: 2");
  }

  void WriteJob(const std::string& federation, const std::string& name = "trial") {
    ASSERT_TRUE(
        WriteFileAtomic(scratch_ / "job.yaml",
                        Concat("name: ", name, "\ndata: {dataset: D}\nmodel: {patch_size: [8, 8, 8]}\nfederation: {",
                               federation, "}\n"))
            .ok());
  }
  // How opening ends; an opened job is closed again at once, with its journal begun.
  Status Open() {
    boost::asio::io_context loop;
    boost::asio::thread_pool workers(1);
    RunnerServices services{.loop = &loop, .workers = &workers, .blobs = blobs_.get(), .access = &access_};
    services.send = [](const SiteName&, wire::CoordinatorMessage) {};
    services.die = [](const Status& status) { ADD_FAILURE() << status; };
    services.finished = [] {};
    StatusOr<std::unique_ptr<JobRunner>> runner = OpenJob(request_, services);
    if (runner.ok()) (*runner)->Start();
    workers.join();
    return runner.status();
  }

  consilium::testing::ScratchFolder scratch_;
  std::unique_ptr<transport::BlobStore> blobs_;
  AccessTable access_;
  JobRequest request_;
};

TEST_F(JobOpening, ANewJobLeavesItsResolvedFileAndGoesOnWithoutIt) {
  ASSERT_TRUE(Open().ok());
  EXPECT_THAT(ReadFile(scratch_ / "state/jobs/trial/job.yaml").value(), HasSubstr("round_deadline"));
  request_.job_file.clear();
  request_.initial_model.clear();
  EXPECT_TRUE(Open().ok());
}

TEST_F(JobOpening, ANewJobNeedsAModelAndSaysHowToMakeOne) {
  request_.initial_model.clear();
  const Status status = Open();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("consilium init"));
  request_.initial_model = scratch_ / "absent";
  EXPECT_EQ(Open().code(), StatusCode::kNotFound);
}

TEST_F(JobOpening, AJobWithoutFederationOrWithAnUnknownSiteIsRefused) {
  WriteJob("rounds: 2, sites: {names: [a, bb]}");
  EXPECT_THAT(Open().message(),
              HasSubstr("federation.sites names 'bb', which has no kit in this project; did you mean 'b'"));
  WriteJob("rounds: 2, sites: {min: 3}");
  EXPECT_THAT(Open().message(), HasSubstr("federation.sites.min is 3, but only 2 sites take part"));
  ASSERT_TRUE(WriteFileAtomic(scratch_ / "job.yaml",
                              std::string_view("name: trial\ndata: {dataset: D}\nmodel: {patch_size: [8, 8, 8]}\n"))
                  .ok());
  EXPECT_THAT(Open().message(), HasSubstr("has no 'federation' part"));
}

TEST_F(JobOpening, AStateFolderWithoutAJobSaysHowToStartOne) {
  request_.job_file.clear();
  EXPECT_THAT(Open().message(), HasSubstr("holds no job yet; start one with --job"));
}

TEST_F(JobOpening, AnotherModelOrOtherSettingsUnderTheSameNameAreRefused) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Open().ok()) << "the same file and model again are fine";
  WriteJob("rounds: 2, mode: wait");
  EXPECT_THAT(Open().message(), HasSubstr("federation.mode is \"close\" there and \"wait\" here"));
  WriteJob("rounds: 2");
  ASSERT_TRUE(WriteFileAtomic(scratch_ / "model", std::string_view("something else")).ok());
  EXPECT_THAT(Open().message(), HasSubstr("is not the model that job 'trial' started from"));
}

TEST_F(JobOpening, AModelThatIsGoneIsNamedAndNothingIsRunWithoutIt) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(blobs_->RetainOnly({}).ok());
  const Status status = Open();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("restore the state folder from a backup"));
}

}  // namespace
}  // namespace consilium::coordinator
