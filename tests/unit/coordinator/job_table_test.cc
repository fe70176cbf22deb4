#include "coordinator/service/job_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/run_program.h"

namespace consilium::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Digest DigestOf(std::string_view model) { return wire::ManifestOf(AsBytes(model)).digest; }

// A coordinator's jobs without its network: nobody runs the loop, so what is posted to it waits.
class JobTableTest : public ::testing::Test {
 protected:
  JobTableTest() : blobs_(transport::BlobStore::Open(scratch_ / "state/blobs").value()) { Restart(); }
  ~JobTableTest() override { table_.reset(); }

  void Restart() {
    table_.reset();
    access_ = std::make_unique<AccessTable>();
    JobTable::Hands hands{.loop = &loop_, .workers = &workers_, .blobs = blobs_.get(), .access = access_.get()};
    hands.send = [this](const SiteName& site, wire::CoordinatorMessage message) {
      if (const auto* ended = std::get_if<wire::JobEnded>(&message))
        told_.push_back(Concat(site, ": ", ended->job, " ", StatusCodeName(ended->code)));
    };
    hands.disconnect = [](const SiteName&, const std::string&) {};
    hands.finished = [](const JobId&) {};
    hands.stopped = [this](const JobId& job, const Status&) { stopped_.push_back(job.value()); };
    hands.also_keep = [] { return std::set<Digest>(); };
    table_ = std::make_unique<JobTable>(JobTable::Options{scratch_ / "state", 1}, std::move(hands));
    ASSERT_TRUE(table_->Load().ok());
    table_->Start();
  }

  Submission Job(const std::string& name, std::int32_t priority = 0, const std::string& model = "a model") {
    const std::string yaml =
        Concat("name: ", name, "\ndata: {dataset: D}\nmodel: {patch_size: [8, 8, 8]}\nfederation: {rounds: 2}\n");
    const wire::JobSpec job = wire::ParseJob(ConfigNode::Parse(yaml, "job.yaml").value()).value();
    Submission submission = SubmissionOf(job, {SiteName("a"), SiteName("b")}, "job.yaml").value();
    EXPECT_TRUE(WriteFileAtomic(scratch_ / "model", model).ok());
    submission.model = blobs_->Import(scratch_ / "model").value();
    submission.priority = priority;
    return submission;
  }
  void Add(const Submission& submission) {
    const StatusOr<bool> added = table_->Add(submission);
    ASSERT_TRUE(added.ok()) << added.status();
    EXPECT_TRUE(*added);
  }
  std::string StandOf(const std::string& job) { return StandName(*table_->Find(JobId(job))); }
  std::vector<std::string> Queue() {
    std::vector<std::string> names;
    for (const JobId& job : table_->Queue()) names.push_back(job.value());
    return names;
  }

  consilium::testing::ScratchFolder scratch_;
  boost::asio::io_context loop_;
  boost::asio::thread_pool workers_{1};
  std::unique_ptr<transport::BlobStore> blobs_;
  std::unique_ptr<AccessTable> access_;
  std::vector<std::string> told_, stopped_;
  std::unique_ptr<JobTable> table_;
};

TEST_F(JobTableTest, TheQueueIsByPriorityThenBySubmissionAndSurvivesARestart) {
  Add(Job("first")), Add(Job("second")), Add(Job("urgent", 5)), Add(Job("third"));
  for (int life = 0; life < 2; ++life, Restart()) {
    EXPECT_EQ(StandOf("first"), "running") << "who has begun goes on";
    EXPECT_THAT(Queue(), ElementsAre("urgent", "second", "third"));
  }
  ASSERT_TRUE(table_->Abort(JobId("first"), "ann", "enough").ok());
  EXPECT_EQ(StandOf("urgent"), "running");
  EXPECT_THAT(Queue(), ElementsAre("second", "third"));
}

TEST_F(JobTableTest, TheSameJobAgainIsTheSameJobAndAnotherOneOfThatNameIsRefused) {
  Add(Job("heart"));
  EXPECT_FALSE(table_->Add(Job("heart")).value());
  const auto other = table_->Add(Job("heart", 0, "another model"));
  EXPECT_EQ(other.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(other.status().message(), HasSubstr("its model is"));
  EXPECT_THAT(table_->NoSuchJob(JobId("haert")).message(), HasSubstr("did you mean 'heart'"));
}

TEST_F(JobTableTest, AnAbortedJobIsOverForGoodAndEachSiteIsToldOnce) {
  Add(Job("heart"));
  table_->SiteConnected(SiteName("a"), {});
  ASSERT_TRUE(table_->Abort(JobId("heart"), "ann", "enough").ok());
  EXPECT_THAT(told_, ElementsAre("a: heart cancelled"));
  EXPECT_EQ(table_->Abort(JobId("heart"), "ann", "again").code(), StatusCode::kFailedPrecondition);
  Restart();
  EXPECT_EQ(StandOf("heart"), "aborted");
  EXPECT_EQ(table_->Find(JobId("heart"))->outcome.message, "aborted by ann: enough");
  table_->SiteConnected(SiteName("a"), {});
  table_->SiteConnected(SiteName("b"), {});
  EXPECT_THAT(told_, ElementsAre("a: heart cancelled", "b: heart cancelled"));
  table_->SiteDisconnected(SiteName("a"), Unavailable("gone"));
  EXPECT_FALSE(table_->AllToldAndGone(JobId("heart")));
  table_->SiteDisconnected(SiteName("b"), Unavailable("gone"));
  EXPECT_TRUE(table_->AllToldAndGone(JobId("heart")));
}

TEST_F(JobTableTest, AnAbortIsInTheJournalOfAJobThatRan) {
  Add(Job("heart")), Add(Job("lung"));
  ASSERT_TRUE(table_->Abort(JobId("heart"), "ann", "enough").ok());
  table_.reset();  // lets go of the journals
  const auto journal = Journal::Open(JobFolder(scratch_ / "state", JobId("heart")).journal()).value();
  const std::vector<Bytes> records = journal->ReadAll().value();
  ASSERT_FALSE(records.empty());
  EXPECT_EQ(std::get<JobFinished>(DecodeRecord(records.back()).value()),
            (JobFinished{StatusCode::kCancelled, "aborted by ann: enough"}));
}

TEST_F(JobTableTest, AJobThatRunsIsPausedAndResumedDurablyAndOthersAreNot) {
  Add(Job("heart")), Add(Job("lung"));
  const auto paused_by = [this] { return table_->Find(JobId("heart"))->runner->state().paused_by(); };
  ASSERT_TRUE(table_->Pause(JobId("heart"), "ann").ok());
  EXPECT_TRUE(table_->Pause(JobId("heart"), "eve").ok()) << "said again";
  Restart();
  EXPECT_EQ(paused_by(), "ann");
  EXPECT_THAT(table_->Pause(JobId("lung"), "ann").message(), HasSubstr("does not run: it is queued"));
  ASSERT_TRUE(table_->Resume(JobId("heart"), "eve").ok());
  EXPECT_TRUE(table_->Resume(JobId("heart"), "eve").ok());
  Restart();
  EXPECT_EQ(paused_by(), std::nullopt);
  EXPECT_EQ(table_->Resume(JobId("haert"), "eve").code(), StatusCode::kNotFound);
}

TEST_F(JobTableTest, AJobsModelGoesWithItUnlessAnotherNeedsIt) {
  Add(Job("one", 0, "shared")), Add(Job("two", 0, "shared")), Add(Job("three", 0, "own"));
  const Digest shared = DigestOf("shared"), own = DigestOf("own");
  ASSERT_TRUE(table_->Abort(JobId("one"), "ann", "enough").ok());
  ASSERT_TRUE(table_->Abort(JobId("three"), "ann", "enough").ok());
  EXPECT_TRUE(blobs_->Has(shared)) << "job two has not begun yet";
  EXPECT_FALSE(blobs_->Has(own));
  Restart();
  EXPECT_TRUE(blobs_->Has(shared));
  EXPECT_EQ(table_->BytesPromised(), DiskNeeded(table_->Find(JobId("two"))->submission));
}

TEST_F(JobTableTest, AJobThatCannotBeReadStopsAloneAndNoBlobIsRemoved) {
  Add(Job("good")), Add(Job("bad", 0, "of the bad one"));
  ASSERT_TRUE(WriteFileAtomic(scratch_ / "state/jobs/bad/submission.json", std::string_view("{")).ok());
  Restart();
  EXPECT_EQ(StandOf("good"), "running");
  EXPECT_EQ(StandOf("bad"), "stopped");
  EXPECT_TRUE(blobs_->Has(DigestOf("of the bad one")));
}

TEST_F(JobTableTest, ATaskOfAJobThatIsNotHereIsAnsweredAndHarmless) {
  table_->SiteConnected(SiteName("a"), {});
  wire::TaskFailed failed;
  failed.task.job = JobId("unknown");
  table_->Heard(SiteName("a"), failed);
  EXPECT_THAT(told_, IsEmpty());
}

}  // namespace
}  // namespace consilium::coordinator
