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

}  // namespace
}  // namespace consilium::coordinator
