#include "comm/base/status.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace consilium {
namespace {

TEST(Status, OkHasNoMessageAndExitCodeZero) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(Status().message(), "");
  EXPECT_EQ(Status().ToString(), "ok");
  EXPECT_EQ(ExitCodeFor(Status()), ExitCode::kDone);
}

TEST(Status, AnnotationsReadFromTheOutsideInAndKeepTheCode) {
  const Status disk = ErrnoStatus(ENOSPC, "journal append");
  const Status round = Annotate(disk, "opening round ", 12);
  EXPECT_EQ(round.message(), "opening round 12: journal append: No space left on device");
  EXPECT_EQ(round.code(), StatusCode::kStorage);
  EXPECT_EQ(disk.message(), "journal append: No space left on device") << "the cause itself must not change";
}

TEST(Status, AnnotatingOkStaysOk) { EXPECT_TRUE(Annotate(Status(), "opening round ", 12).ok()); }

TEST(Status, EveryCodeHasAnExitCodeOfTheContract) {
  const std::pair<Status, int> table[] = {
      {Failed("x"), 1},           {InvalidArgument("x"), 2},   {NotFound("x"), 2},
      {AlreadyExists("x"), 2},    {Unimplemented("x"), 2},     {RankFailure("x"), 3},
      {DeadlineExceeded("x"), 4}, {Rendezvous("x"), 5},        {Storage("x"), 6},
      {Unauthenticated("x"), 7},  {PermissionDenied("x"), 7},  {PrivacyBudget("x"), 8},
      {Preempted("x"), 143},      {DataLoss("x"), 1},          {FailedPrecondition("x"), 1},
      {Unavailable("x"), 1},      {ResourceExhausted("x"), 1}, {Cancelled("x"), 1},
  };
  for (const auto& [status, exit_code] : table) EXPECT_EQ(static_cast<int>(ExitCodeFor(status)), exit_code) << status;
}

TEST(Status, AFullOrFailingDiskIsStorage) {
  for (const int error : {ENOSPC, EDQUOT, EFBIG, EIO, EROFS})
    EXPECT_EQ(ErrnoStatus(error, "writing x").code(), StatusCode::kStorage) << error;
}

TEST(Status, AFileThatMayNotBeReadIsBadInputAndNotAPolicy) {
  EXPECT_EQ(ExitCodeFor(ErrnoStatus(EACCES, "opening x")), ExitCode::kBadInput);
  EXPECT_EQ(ExitCodeFor(ErrnoStatus(EISDIR, "reading x")), ExitCode::kBadInput);
  EXPECT_EQ(ExitCodeFor(ErrnoStatus(ENOENT, "opening x")), ExitCode::kBadInput);
}

StatusOr<int> Half(int number) {
  if (number % 2 != 0) return InvalidArgument(number, " is odd");
  return number / 2;
}

StatusOr<int> Quarter(int number) {
  ASSIGN_OR_RETURN(const int half, Half(number));
  ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

Status Divisible(int number) {
  RETURN_IF_ERROR(Quarter(number).status());
  return Status();
}

TEST(StatusOr, TheMacrosReturnTheFirstErrorAndPassValuesOn) {
  EXPECT_EQ(Quarter(12).value(), 3);
  EXPECT_EQ(Quarter(6).status().message(), "3 is odd");
  EXPECT_TRUE(Divisible(4).ok());
  EXPECT_EQ(Divisible(5).message(), "5 is odd");
}

TEST(StatusOr, HoldsMoveOnlyValues) {
  StatusOr<std::unique_ptr<int>> owner = std::make_unique<int>(3);
  const std::unique_ptr<int> taken = std::move(owner).value();
  EXPECT_EQ(*taken, 3);
}

TEST(StatusOrDeathTest, ReadingTheValueOfAnErrorIsOurBug) {
  EXPECT_DEATH((void)Half(3).value(), "internal error.*3 is odd");
}

TEST(StatusOrDeathTest, AnOkStatusIsNoStatusOr) { EXPECT_DEATH(StatusOr<int>{Status()}, "from an OK status"); }

}  // namespace
}  // namespace consilium
