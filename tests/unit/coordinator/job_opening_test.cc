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
    local_ = {.job_file = scratch_ / "job.yaml",
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
  StatusOr<Submission> Read() {
    return SubmissionFromFiles(
        local_, [this](const JobId& job) { return there_ && there_->job == job ? &*there_ : nullptr; }, blobs_.get());
  }
  // How opening ends; an opened job is closed again at once, with its journal begun.
  Status Open(const Submission& submission) {
    boost::asio::io_context loop;
    boost::asio::thread_pool workers(1);
    RunnerServices services{.loop = &loop, .workers = &workers, .blobs = blobs_.get(), .access = &access_};
    services.send = [](const SiteName&, wire::CoordinatorMessage) {};
    services.die = [](const Status& status) { ADD_FAILURE() << status; };
    services.finished = [] {};
    services.tidy_blobs = [] {};
    const JobFolder folder(scratch_ / "state", submission.job);
    RETURN_IF_ERROR(WriteSubmission(folder, submission));
    StatusOr<std::unique_ptr<JobRunner>> runner = OpenJob(folder, submission, services);
    if (runner.ok()) (*runner)->Start();
    workers.join();
    return runner.status();
  }

  consilium::testing::ScratchFolder scratch_;
  std::unique_ptr<transport::BlobStore> blobs_;
  AccessTable access_;
  LocalJob local_;
  std::optional<Submission> there_;
};

TEST_F(JobOpening, ANewJobLeavesItsResolvedFileAndGoesOnFromItsSubmission) {
  const Submission submission = Read().value();
  const Status opened = Open(submission);
  ASSERT_TRUE(opened.ok()) << opened;
  const JobFolder folder(scratch_ / "state", submission.job);
  EXPECT_THAT(ReadFile(folder.job_yaml()).value(), HasSubstr("round_deadline"));
  EXPECT_EQ(ReadSubmission(folder).value(), submission);
  EXPECT_TRUE(Open(submission).ok());
  const Submission from_journal = SubmissionFromJournal(folder).value();
  EXPECT_EQ(Difference(from_journal, submission), "");
  EXPECT_EQ(from_journal.sites, submission.sites);
}

TEST_F(JobOpening, ANewJobNeedsAModelAndSaysHowToMakeOne) {
  local_.initial_model.clear();
  EXPECT_EQ(Read().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(Read().status().message(), HasSubstr("consilium init"));
  local_.initial_model = scratch_ / "absent";
  EXPECT_EQ(Read().code(), StatusCode::kNotFound);
}

TEST_F(JobOpening, AJobWithoutFederationOrWithAnUnknownSiteIsRefused) {
  WriteJob("rounds: 2, sites: {names: [a, bb]}");
  EXPECT_THAT(Read().status().message(),
              HasSubstr("federation.sites names 'bb', which has no kit in this project; did you mean 'b'"));
  WriteJob("rounds: 2, sites: {min: 3}");
  EXPECT_THAT(Read().status().message(), HasSubstr("federation.sites.min is 3, but only 2 sites take part"));
  ASSERT_TRUE(WriteFileAtomic(scratch_ / "job.yaml",
                              std::string_view("name: trial\ndata: {dataset: D}\nmodel: {patch_size: [8, 8, 8]}\n"))
                  .ok());
  EXPECT_THAT(Read().status().message(), HasSubstr("has no 'federation' part"));
}

TEST_F(JobOpening, AnotherModelOrOtherSettingsUnderTheSameNameAreDifferences) {
  there_ = Read().value();
  EXPECT_EQ(Difference(*there_, Read().value()), "");
  local_.initial_model.clear();
  EXPECT_EQ(Difference(*there_, Read().value()), "") << "a job that is there needs no model";
  WriteJob("rounds: 2, mode: wait");
  EXPECT_THAT(Difference(*there_, Read().value()), HasSubstr("federation.mode is \"close\" there and \"wait\" here"));
  WriteJob("rounds: 2");
  local_.initial_model = scratch_ / "model";
  ASSERT_TRUE(WriteFileAtomic(scratch_ / "model", std::string_view("something else")).ok());
  EXPECT_THAT(Read().status().message(), HasSubstr("is not the model that job 'trial' started from"));
}

TEST_F(JobOpening, AModelThatIsGoneIsNamedAndNothingIsRunWithoutIt) {
  const Submission submission = Read().value();
  ASSERT_TRUE(Open(submission).ok());
  ASSERT_TRUE(blobs_->RetainOnly({}).ok());
  for (const std::string name : {"trial", "fresh"}) {
    Submission other = submission;
    other.job = JobId(name);
    const Status status = Open(other);
    EXPECT_EQ(status.code(), StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), HasSubstr("restore the state folder from a backup"));
  }
}

TEST_F(JobOpening, ADamagedSubmissionIsDataLoss) {
  const Submission submission = Read().value();
  const JobFolder folder(scratch_ / "state", submission.job);
  EXPECT_EQ(ReadSubmission(folder).code(), StatusCode::kNotFound);
  ASSERT_TRUE(WriteSubmission(folder, submission).ok());
  ASSERT_TRUE(WriteFileAtomic(folder.submission(), std::string_view("{\"job\": 3}")).ok());
  EXPECT_EQ(ReadSubmission(folder).code(), StatusCode::kDataLoss);
}

TEST(Submission, BytesAreSaidInWords) {
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(22'400'000), "22.4 MB");
  EXPECT_EQ(FormatBytes(3'210'000'000), "3.2 GB");
  EXPECT_EQ(FormatBytes(999'700), "1.0 MB");
}

}  // namespace
}  // namespace consilium::coordinator
