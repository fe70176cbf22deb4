// Jobs from text, for tests of what a job file may say.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/wire/job.h"

namespace consilium::wire {

// `text` is job.yaml; `assignments` as of --set.
inline StatusOr<JobSpec> ParseText(const std::string& text, const std::vector<std::string>& assignments) {
  ASSIGN_OR_RETURN(ConfigNode root, ConfigNode::Parse(text, "job.yaml"));
  for (const std::string& assignment : assignments) RETURN_IF_ERROR(root.Set(assignment));
  return ParseJob(root);
}

// The job as whoever gets the resolved one reads it; expects that nothing is lost on the way.
inline JobSpec ReadAgain(const JobSpec& job) {
  const StatusOr<ConfigNode> root = ConfigNode::Parse(JobToJson(job).dump(), "resolved");
  EXPECT_TRUE(root.ok()) << root.status();
  const StatusOr<JobSpec> again = root.ok() ? ParseJob(*root) : StatusOr<JobSpec>(root.status());
  EXPECT_TRUE(again.ok()) << again.status() << "\n" << JobToJson(job).dump(1);
  if (!again.ok()) return {};
  EXPECT_EQ(JobToJson(*again), JobToJson(job));
  return *again;
}

struct RefusedJob {
  std::vector<std::string> assignments;
  std::string why;  // is in the message
};

// Expects that `text` with each of these is no job, for its reason and with `where` in the message.
inline void ExpectRefused(const std::string& text, const std::vector<RefusedJob>& jobs,
                          const ::testing::Matcher<std::string>& where = ::testing::_) {
  for (const RefusedJob& job : jobs) {
    const Status status = ParseText(text, job.assignments).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << job.assignments.front();
    EXPECT_THAT(status.message(), ::testing::AllOf(::testing::HasSubstr(job.why), where)) << job.assignments.front();
  }
}

}  // namespace consilium::wire
