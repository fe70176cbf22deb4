#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/wire/job.h"

namespace consilium::wire {
namespace {

using tensor::Compression;
using tensor::CompressionSpec;
using ::testing::HasSubstr;

StatusOr<JobSpec> With(const std::string& compression) {
  ASSIGN_OR_RETURN(const ConfigNode root,
                   ConfigNode::Parse("name: a\ndata: {dataset: x}\nmodel: {patch_size: [8, 8, 8]}\n"
                                     "federation: {compression: " +
                                         compression + "}\n",
                                     "job.yaml"));
  return ParseJob(root);
}

TEST(JobCompression, AWordOrAMapNamesTheScheme) {
  EXPECT_EQ(With("none")->federation.compression, CompressionSpec{});
  EXPECT_EQ(With("fp16")->federation.compression, (CompressionSpec{.scheme = Compression::kHalf}));
  EXPECT_EQ(With("{scheme: int8, error_feedback: true}")->federation.compression,
            (CompressionSpec{.scheme = Compression::kInt8, .error_feedback = true}));
  EXPECT_EQ(With("topk")->federation.compression,
            (CompressionSpec{.scheme = Compression::kTopK, .fraction = 0.01, .error_feedback = true}));
  EXPECT_EQ(With("{scheme: topk, fraction: 0.25, error_feedback: false}")->federation.compression,
            (CompressionSpec{.scheme = Compression::kTopK, .fraction = 0.25}));
}

TEST(JobCompression, TheResolvedJobReadsBack) {
  for (const char* compression : {"none", "fp16", "{scheme: int8, error_feedback: true}", "topk",
                                  "{scheme: topk, fraction: 0.3, error_feedback: false}"}) {
    const JobSpec job = With(compression).value();
    const JobSpec again = ParseJob(ConfigNode::Parse(JobToYaml(job), "resolved").value()).value();
    EXPECT_EQ(again.federation.compression, job.federation.compression) << compression;
    EXPECT_EQ(JobDigest(again), JobDigest(job));
  }
  EXPECT_EQ(JobToJson(*With("none"))["federation"]["compression"], "none");
}

TEST(JobCompression, WhatMakesNoSenseIsRefusedWithWhatWasExpected) {
  for (const auto& [compression, reason] : {std::pair{"zip", "none, fp16, int8"},
                                            {"{fraction: 0.1}", "scheme is missing"},
                                            {"{scheme: topk, fraction: 0}", "above 0 and at most 1"},
                                            {"{scheme: topk, fraction: .nan}", "fraction"},
                                            {"{scheme: int8, fraction: 0.1}", "topk alone"},
                                            {"{scheme: none, error_feedback: true}", "no error feedback"},
                                            {"{scheme: topk, fractoin: 0.1}", "did you mean 'fraction'"},
                                            {"[fp16]", "compression"}}) {
    const Status status = With(compression).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << compression;
    EXPECT_THAT(status.message(), HasSubstr(reason)) << compression;
  }
}

}  // namespace
}  // namespace consilium::wire
