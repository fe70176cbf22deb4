// Who may ask what, and what fits on the disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/service/operator_desk.h"

namespace consilium::coordinator {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using transport::PeerName;
using transport::Right;
using transport::Role;

PeerName Operator(const transport::Rights& rights) { return {"heart", Role::kOperator, "ann", rights}; }

struct Expectation {
  wire::OperatorRequest request;
  Right right;
  bool site_may;
};

std::vector<Expectation> Expectations() {
  return {{wire::SubmitJob{}, Right::kSubmit, false}, {wire::PutChunk{}, Right::kSubmit, false},
          {wire::ListJobs{}, Right::kView, true},     {wire::DescribeJob{}, Right::kView, true},
          {wire::ExplainJob{}, Right::kView, true},   {wire::ReadLog{}, Right::kView, false},
          {wire::OfferFile{}, Right::kView, false},   {wire::GetChunk{}, Right::kView, false},
          {wire::AbortJob{}, Right::kAbort, false},   {wire::PauseJob{}, Right::kAbort, false},
          {wire::ResumeJob{}, Right::kAbort, false}};
}

TEST(OperatorRights, EachRequestNeedsItsRoleAndNoOther) {
  for (const Expectation& expected : Expectations()) {
    const std::string_view name = wire::RequestName(expected.request);
    for (const Right right : transport::AllRights())
      EXPECT_EQ(MayAsk(Operator({right}), expected.request).ok(), right == expected.right) << name;
    const Status refused = MayAsk(Operator({}), expected.request);
    EXPECT_EQ(refused.code(), StatusCode::kPermissionDenied) << name;
    EXPECT_THAT(refused.message(), AllOf(HasSubstr("'ann' has: none"), HasSubstr("provision")));
    EXPECT_EQ(MayAsk({"heart", Role::kSite, "a"}, expected.request).ok(), expected.site_may) << name;
    EXPECT_FALSE(MayAsk({"heart", Role::kCoordinator, "boss"}, expected.request).ok()) << name;
  }
  EXPECT_TRUE(MayAsk(Operator({}), wire::Ping{}).ok());
}

TEST(OperatorRights, RightsInASitesCertificateCountForNothing) {
  EXPECT_FALSE(MayAsk({"heart", Role::kSite, "a", transport::AllRights()}, wire::AbortJob{}).ok());
}

TEST(DiskBudget, ARefusalHasTheNumbers) {
  Submission submission;
  submission.job = JobId("heart");
  submission.sites = {SiteName("a"), SiteName("b"), SiteName("c")};
  submission.model.bytes = 100'000'000;
  ASSERT_EQ(DiskNeeded(submission), 600'000'000u);
  const std::uint64_t gigabyte = 1'000'000'000;
  EXPECT_TRUE(FitsOnDisk(submission, {.available = gigabyte}).ok());
  EXPECT_TRUE(FitsOnDisk(submission, {.available = gigabyte, .promised = gigabyte, .used = 700'000'000}).ok());
  const Status full = FitsOnDisk(submission, {.available = gigabyte, .promised = gigabyte, .used = 500'000'000});
  EXPECT_EQ(full.code(), StatusCode::kStorage);
  EXPECT_THAT(full.message(), AllOf(HasSubstr("may need 600 MB"), HasSubstr("3 sites + 3, of 100 MB each"),
                                    HasSubstr("500 MB more are promised"), HasSubstr("1.0 GB are free")));
  const Status quota = FitsOnDisk(submission, {.available = 50 * gigabyte, .promised = 500'000'000, .quota = gigabyte});
  EXPECT_EQ(quota.code(), StatusCode::kStorage);
  EXPECT_THAT(quota.message(), AllOf(HasSubstr("the quota is 1.0 GB"), HasSubstr("--quota")));
}

}  // namespace
}  // namespace consilium::coordinator
