// A newer coordinator's jobs at older sites.  The golden text is a resolved job as protocol 1.0 said it.
#include "comm/wire/job_for_peer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/wire/job.h"
#include "comm/wire/messages.h"

namespace consilium::wire {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kJob10[] =
    R"({"name":"heart","task":"segmentation",)"
    R"("data":{"dataset":"Dataset004_Hippocampus","configuration":"3d_fullres","fold":0},)"
    R"("model":{"architecture":"plain_unet","patch_size":[40,56,40],"base_features":32,"features_max":320,)"
    R"("strides":[],"kernels":[],"deep_supervision":true},)"
    R"("train":{"epochs":100,"iterations":250,"validation_iterations":20,"batch_size":2,)"
    R"("gradient_accumulation":1,"precision":"auto","seed":1,"threads":0,"learning_rate":0.01,"momentum":0.99,)"
    R"("weight_decay":3e-05,"gradient_clip":12.0,"foreground_oversampling":0.33,)"
    R"("augmentation":{"mirror":true,"intensity":true},"checkpoint_every":"600s"},)"
    R"("cluster":{"ranks":1,"backend":"auto","step_timeout":"60s"},)"
    R"("federation":{"rounds":3,"mode":"wait","sites":{"min":2,"names":["a","b"]},"round_deadline":"1200s",)"
    R"("local":{"epochs":1},"strategy":{"name":"fedavg","weighting":"examples"},"compression":"none"}})";

JobSpec Parsed(const std::string& json) { return ParseJob(ConfigNode::Parse(json, "job").value()).value(); }

// What this coordinator says of that job: every key of today.
std::string Today(const std::function<void(JobSpec*)>& change = {}) {
  JobSpec job = Parsed(kJob10);
  if (change) change(&job);
  return JobToJson(job).dump();
}

TEST(JobForPeer, ASiteOfProtocol10IsToldOfAPlainJobInTheWordsOfItsTime) {
  ASSERT_NE(Today(), kJob10) << "keys were added since";
  EXPECT_EQ(JobForPeer(Today(), 0), kJob10);
  EXPECT_EQ(JobDigest(Parsed(JobForPeer(Today(), 0))), JobDigest(Parsed(Today()))) << "and it is the same job";
  EXPECT_EQ(JobForPeer(Today(), kProtocolMinor), Today());
}

TEST(JobForPeer, AKeyThatSaysSomethingIsNeverLeftOut) {
  const std::string job = JobForPeer(Today([](JobSpec* spec) {
                                       spec->federation.mode = RoundMode::kClose;
                                       spec->federation.evaluate_every = 2;
                                     }),
                                     0);
  EXPECT_THAT(job, HasSubstr(R"("evaluate":{"every":2)"));
  EXPECT_THAT(job, Not(HasSubstr("early_stop")));
  EXPECT_EQ(Parsed(job).federation.evaluate_every, 2);
}

TEST(JobForPeer, ATaskIsEncodedWithTheJobOfItsReadersVersion) {
  const Task task{.task = {.job = JobId("heart")}, .job_json = Today(), .model = {.bytes = 0}};
  const auto read = [&](std::uint32_t minor) {
    return std::get<Task>(DecodeCoordinatorMessage(Encode(CoordinatorMessage(task), minor), minor).value()).job_json;
  };
  EXPECT_EQ(read(0), kJob10);
  EXPECT_EQ(read(kProtocolMinor), Today());
}

TEST(JobForPeer, WhatIsNoJobStaysAsItIs) {
  for (const char* text : {"", "{}", "[1]", "{\"name\": 5}", "nonsense"}) EXPECT_EQ(JobForPeer(text, 0), text);
}

}  // namespace
}  // namespace consilium::wire
