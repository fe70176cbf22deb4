#include "coordinator/service/access_table.h"

#include <gtest/gtest.h>

#include "stage.h"

namespace consilium::coordinator {
namespace {

class AccessTableTest : public ::testing::Test {
 protected:
  AccessTableTest() : stage_({.mode = "wait"}) {
    stage_.Connect("a").Connect("b").Connect("c");
    access_.Show(stage_.state());
  }
  StatusCode Upload(const std::string& site, const wire::TaskKey& task, const std::string& content = "update") {
    return access_.AuthorizeUpload(SiteName(site), task, FakeBlob(content)).code();
  }
  Stage stage_;
  AccessTable access_;
};

TEST_F(AccessTableTest, OnlyTheModelInForceMayBeFetchedAndOnlyByTheJobsSites) {
  const Digest model = stage_.state().model().digest;
  EXPECT_TRUE(access_.AuthorizeFetch(SiteName("a"), model).ok());
  EXPECT_EQ(access_.AuthorizeFetch(SiteName("stranger"), model).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(access_.AuthorizeFetch(SiteName("a"), Sha256Of("b's update")).code(), StatusCode::kNotFound);
  stage_.Update("a", 0).Update("b", 0).Update("c", 0);
  access_.Show(stage_.state());
  EXPECT_EQ(access_.AuthorizeFetch(SiteName("a"), model).code(), StatusCode::kNotFound) << "the next model is in force";
}

TEST_F(AccessTableTest, OnlyTheWorkInHandMayBeUploaded) {
  EXPECT_EQ(Upload("a", Train(0)), StatusCode::kOk);
  EXPECT_EQ(Upload("a", Train(1)), StatusCode::kFailedPrecondition);
  EXPECT_EQ(Upload("a", Train(0, 1)), StatusCode::kFailedPrecondition);
  EXPECT_EQ(Upload("stranger", Train(0)), StatusCode::kFailedPrecondition);
  stage_.Update("a", 0);
  access_.Show(stage_.state());
  EXPECT_EQ(Upload("a", Train(0)), StatusCode::kAlreadyExists) << "fully received is never asked for again";
}

TEST_F(AccessTableTest, ASiteCannotFillTheDiskWithDifferentOrHugeUpdates) {
  for (const char* content : {"1", "2", "3", "1"}) EXPECT_EQ(Upload("a", Train(0), content), StatusCode::kOk);
  access_.Show(stage_.state());
  EXPECT_EQ(Upload("a", Train(0), "4"), StatusCode::kResourceExhausted);
  EXPECT_EQ(Upload("b", Train(0), "4"), StatusCode::kOk);
  wire::BlobManifest huge = FakeBlob("x");
  huge.bytes = std::uint64_t{3} << 30;
  EXPECT_EQ(access_.AuthorizeUpload(SiteName("b"), Train(0), huge).code(), StatusCode::kResourceExhausted);
}

TEST(AccessTableSecure, NothingIsTakenBeforeASumBeginsAndEachSumHasBlobsOfItsOwn) {
  JobState state;
  const std::vector<SiteName> sites = {SiteName("a"), SiteName("b"), SiteName("c")};
  const JobOpened job = MakeJob(
      {.mode = "secure", .sites_min = 3, .more = R"(, "secure_aggregation": {"enabled": true, "min_cohort": 3})"});
  ASSERT_TRUE(state.Apply(job).ok());
  ASSERT_TRUE(state.Apply(RoundOpened{Round{0}, sites, job.model.digest, 3}).ok());
  AccessTable access;
  access.Show(state);
  const auto upload = [&](const std::string& content) {
    return access.AuthorizeUpload(SiteName("a"), Train(0), FakeBlob(content)).code();
  };
  EXPECT_EQ(upload("a plain update"), StatusCode::kFailedPrecondition);
  for (std::uint32_t session = 1; session <= 3; ++session) {
    ASSERT_TRUE(state.Apply(SecureSessionOpened{Round{0}, session, sites}).ok());
    access.Show(state);
    for (const char* content : {"1", "2", "3"}) EXPECT_EQ(upload(Concat(session, content)), StatusCode::kOk);
    EXPECT_EQ(upload("one too many"), StatusCode::kResourceExhausted);
  }
  EXPECT_EQ(access.OfferedBlobs().size(), 3u);
  EXPECT_EQ(access.TakeRetired(job.job).size(), 6u);
}

TEST_F(AccessTableTest, OfferedBlobsAreKeptWhileTheWorkIsInHandAndRetiredAfterwards) {
  Upload("a", Train(0), "first"), Upload("a", Train(0), "second");
  const Digest first = FakeBlob("first").digest, second = FakeBlob("second").digest;
  EXPECT_EQ(access_.OfferedBlobs(), (std::set<Digest>{first, second}));
  EXPECT_TRUE(access_.TakeRetired(stage_.state().opened().job).empty());
  stage_.Update("a", 0).Update("b", 0).Update("c", 0);
  access_.Show(stage_.state());
  EXPECT_TRUE(access_.OfferedBlobs().empty());
  EXPECT_EQ(access_.TakeRetired(stage_.state().opened().job), (std::set<Digest>{first, second}));
  EXPECT_TRUE(access_.TakeRetired(stage_.state().opened().job).empty());
}

TEST_F(AccessTableTest, NothingOfAHiddenJobMayBeFetchedOrUploaded) {
  Upload("a", Train(0), "first");
  access_.Hide(stage_.state().opened().job);
  EXPECT_EQ(access_.AuthorizeFetch(SiteName("a"), stage_.state().model().digest).code(), StatusCode::kNotFound);
  EXPECT_EQ(Upload("a", Train(0)), StatusCode::kFailedPrecondition);
  EXPECT_EQ(access_.TakeRetired(stage_.state().opened().job), (std::set<Digest>{FakeBlob("first").digest}));
}

TEST(AccessTable, InModeAsyncAnOldModelMayBeFetchedOnlyByTheSiteThatWorksFromIt) {
  Stage stage(AsyncJob(5, 1, 3));
  stage.Connect("a").Connect("b");
  stage.Advance(std::chrono::seconds(26));
  const Digest first = stage.state().model().digest;
  stage.Update("a", 0);
  AccessTable access;
  access.Show(stage.state());
  EXPECT_TRUE(access.AuthorizeFetch(SiteName("b"), first).ok());
  EXPECT_FALSE(access.AuthorizeFetch(SiteName("a"), first).ok());
  EXPECT_TRUE(access.AuthorizeUpload(SiteName("b"), Train(0), FakeBlob("u")).ok());
  EXPECT_TRUE(access.AuthorizeUpload(SiteName("a"), Train(1), FakeBlob("u")).ok());
  EXPECT_FALSE(access.AuthorizeUpload(SiteName("a"), Train(0), FakeBlob("u")).ok());
}

TEST(AccessTable, AcrossSitesEverySiteMayFetchEveryModelThatIsEvaluated) {
  Stage stage({.mode = "wait", .rounds = 1, .sites_min = 2, .sites = {"a", "b"}, .more = R"(, "cross_site": true)"});
  stage.Connect("a").Connect("b").Update("a", 0).Update("b", 0).Report("a", 0, 1).Report("b", 0, 1);
  AccessTable access;
  access.Show(stage.state());
  for (const char* site : {"a", "b"})
    EXPECT_TRUE(access.AuthorizeFetch(SiteName(site), FakeBlob("local model of b").digest).ok()) << site;
  EXPECT_EQ(access.AuthorizeFetch(SiteName("stranger"), FakeBlob("local model of b").digest).code(),
            StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace consilium::coordinator
