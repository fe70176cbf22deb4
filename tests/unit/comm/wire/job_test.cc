#include "comm/wire/job.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "comm/base/file.h"
#include "comm/base/rng.h"

namespace consilium::wire {
namespace {

constexpr char kMinimal[] =
    "name: hippocampus\n"
    "data: {dataset: Dataset004_Hippocampus}\n"
    "model: {patch_size: [40, 56, 40]}\n";

// Every key that this build reads, each with a value that is not its default.
constexpr char kFull[] = R"(name: hippocampus-2
task: segmentation
data: {dataset: Dataset138_DSB2018Nuclei, configuration: 2d, fold: 3}
model:
  architecture: plain_unet
  patch_size: [64, 96]
  base_features: 8
  features_max: 64
  strides: [[1, 1], [2, 2], [2, 4]]
  kernels: [[3, 3], [3, 3], [3, 1]]
  deep_supervision: false
train:
  epochs: 7
  iterations: 11
  validation_iterations: 3
  batch_size: 6
  gradient_accumulation: 3
  precision: float32
  seed: 99
  threads: 2
  learning_rate: 0.02
  momentum: 0.9
  weight_decay: 1e-4
  gradient_clip: 1.5
  foreground_oversampling: 0.5
  augmentation: {mirror: false, intensity: false}
  checkpoint_every: 90s
cluster: {ranks: 2, backend: gloo, step_timeout: 30s}
federation:
  rounds: 4
  mode: wait
  sites: {min: 3, names: [a, b, c]}
  round_deadline: 5m
  local: {iterations: 20}
  strategy: {name: fedavg, weighting: equal}
  compression: none
)";

StatusOr<JobSpec> Parse(const std::string& text, const std::vector<std::string>& assignments = {}) {
  ASSIGN_OR_RETURN(ConfigNode root, ConfigNode::Parse(text, "job.yaml"));
  for (const std::string& assignment : assignments) RETURN_IF_ERROR(root.Set(assignment));
  return ParseJob(root);
}

// The error of the minimal job with one more assignment.
Status ErrorOf(const std::string& assignment) { return Parse(kMinimal, {assignment}).status(); }

TEST(Job, TheSmallestJobGetsEveryDefault) {
  const JobSpec job = Parse(kMinimal).value();
  EXPECT_EQ(job.name, "hippocampus");
  EXPECT_EQ(job.data.configuration, "3d_fullres");
  EXPECT_EQ(job.train.epochs, TrainSpec().epochs);
  EXPECT_EQ(job.cluster.backend, "auto");
  EXPECT_FALSE(job.has_federation);
}

TEST(Job, EveryKeyIsReadIntoItsField) {
  const JobSpec job = Parse(kFull).value();
  EXPECT_EQ(job.data.dataset, "Dataset138_DSB2018Nuclei");
  EXPECT_EQ(job.data.configuration, "2d");
  EXPECT_EQ(job.data.fold, 3);
  EXPECT_EQ(job.model.patch_size, (std::vector<std::int64_t>{64, 96}));
  EXPECT_EQ(job.model.base_features, 8);
  EXPECT_EQ(job.model.features_max, 64);
  EXPECT_EQ(job.model.strides, (std::vector<std::vector<std::int64_t>>{{1, 1}, {2, 2}, {2, 4}}));
  EXPECT_EQ(job.model.kernels, (std::vector<std::vector<std::int64_t>>{{3, 3}, {3, 3}, {3, 1}}));
  EXPECT_FALSE(job.model.deep_supervision);
  EXPECT_EQ(job.train.epochs, 7);
  EXPECT_EQ(job.train.iterations, 11);
  EXPECT_EQ(job.train.validation_iterations, 3);
  EXPECT_EQ(job.train.batch_size, 6);
  EXPECT_EQ(job.train.gradient_accumulation, 3);
  EXPECT_EQ(job.train.precision, "float32");
  EXPECT_EQ(job.train.seed, 99);
  EXPECT_EQ(job.train.threads, 2);
  EXPECT_EQ(job.train.learning_rate, 0.02);
  EXPECT_EQ(job.train.momentum, 0.9);
  EXPECT_EQ(job.train.weight_decay, 1e-4);
  EXPECT_EQ(job.train.gradient_clip, 1.5);
  EXPECT_EQ(job.train.foreground_oversampling, 0.5);
  EXPECT_FALSE(job.train.augmentation.mirror);
  EXPECT_FALSE(job.train.augmentation.intensity);
  EXPECT_EQ(job.train.checkpoint_every, std::chrono::seconds(90));
  EXPECT_EQ(job.cluster.ranks, 2);
  EXPECT_EQ(job.cluster.backend, "gloo");
  EXPECT_EQ(job.cluster.step_timeout, std::chrono::seconds(30));
  ASSERT_TRUE(job.has_federation);
  EXPECT_EQ(job.federation.rounds, 4);
  EXPECT_EQ(job.federation.mode, RoundMode::kWait);
  EXPECT_EQ(job.federation.sites_min, 3);
  EXPECT_EQ(job.federation.sites, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(job.federation.round_deadline, std::chrono::minutes(5));
  EXPECT_EQ(job.federation.local_iterations, 20);
  EXPECT_EQ(job.federation.weighting, "equal");
}

TEST(Job, TheResolvedJobParsesBackToItself) {
  for (const char* text : {kMinimal, kFull}) {
    const JobSpec job = Parse(text).value();
    const std::string yaml = JobToYaml(job);
    const StatusOr<JobSpec> again = Parse(yaml);
    ASSERT_TRUE(again.ok()) << again.status() << "\n" << yaml;
    EXPECT_EQ(JobDigest(*again), JobDigest(job)) << yaml;
    EXPECT_EQ(JobDigest(Parse(JobToJson(job).dump()).value()), JobDigest(job)) << "JSON is YAML";
  }
}

TEST(Job, EveryKeyOfTheResolvedJobChangesTheDigest) {
  const Digest digest = JobDigest(Parse(kFull).value());
  for (const char* assignment : {"name=other",
                                 "data.dataset=Dataset001_Other",
                                 "data.fold=all",
                                 "model.patch_size=[64, 64]",
                                 "model.base_features=4",
                                 "model.features_max=32",
                                 "model.strides=[[1, 1], [2, 2], [2, 2]]",
                                 "model.kernels=[[3, 3], [3, 3], [3, 3]]",
                                 "model.deep_supervision=true",
                                 "train.epochs=8",
                                 "train.iterations=12",
                                 "train.validation_iterations=4",
                                 "train.batch_size=9",
                                 "train.gradient_accumulation=2",
                                 "train.precision=auto",
                                 "train.seed=98",
                                 "train.threads=1",
                                 "train.learning_rate=0.03",
                                 "train.momentum=0.8",
                                 "train.weight_decay=1e-5",
                                 "train.gradient_clip=2",
                                 "train.foreground_oversampling=0.4",
                                 "train.augmentation.mirror=true",
                                 "train.augmentation.intensity=true",
                                 "train.checkpoint_every=91s",
                                 "cluster.ranks=3",
                                 "cluster.backend=auto",
                                 "cluster.step_timeout=31s",
                                 "federation.rounds=5",
                                 "federation.mode=close",
                                 "federation.sites.min=2",
                                 "federation.sites.names=[a, b, d]",
                                 "federation.round_deadline=6m",
                                 "federation.local.iterations=21",
                                 "federation.strategy.weighting=examples",
                                 "federation.compression=int8"}) {
    const StatusOr<JobSpec> changed = Parse(kFull, {assignment});
    ASSERT_TRUE(changed.ok()) << assignment << ": " << changed.status();
    EXPECT_NE(JobDigest(*changed), digest) << assignment;
  }
}

TEST(Job, WhatThePlanKnowsAndThisBuildDoesNotIsRefusedByName) {
  for (const char* assignment :
       {"task=image_classification", "task=node_classification", "task=link_prediction", "task=graph_classification",
        "data.configuration=3d_lowres", "data.configuration=3d_cascade_fullres", "train.precision=bfloat16",
        "train.precision=float16", "train.augmentation.spatial=true", "train.augmentation.blur=true",
        "train.augmentation.low_resolution=true", "cluster.backend=mpi", "cluster.min_ranks=2",
        "cluster.max_restarts=3", "cluster.checkpoint_every=10m", "federation.privacy.epsilon=8",
        "simulation.clients=100"}) {
    const Status status = ErrorOf(assignment);
    EXPECT_EQ(status.code(), StatusCode::kUnimplemented) << assignment << ": " << status;
    EXPECT_NE(status.message().find("known but not built yet: "), std::string::npos) << status.message();
    EXPECT_EQ(ExitCodeFor(status), ExitCode::kBadInput);
  }
}

TEST(Job, AnUnknownKeyIsRefusedWithItsLineAndTheNearestKnownOne) {
  EXPECT_EQ(Parse(std::string(kMinimal) + "train:\n  epohcs: 3\n").status().message(),
            "job.yaml:5: train.epohcs is not a known key; did you mean 'epochs'?");
  EXPECT_EQ(Parse(std::string(kMinimal) + "federatoin: {rounds: 3}\n").status().message(),
            "job.yaml:4: federatoin is not a known key; did you mean 'federation'?");
  EXPECT_EQ(ErrorOf("federation.sites.mim=2").message(),
            "--set federation.sites.mim=2: federation.sites.mim is not a known key; did you mean 'min'?");
}

TEST(Job, AMissingKeyIsNamed) {
  EXPECT_EQ(Parse("data: {dataset: x}\nmodel: {patch_size: [8, 8, 8]}\n").status().message(),
            "job.yaml: name is missing");
  EXPECT_EQ(Parse("name: a\nmodel: {patch_size: [8, 8, 8]}\n").status().message(), "job.yaml: data is missing");
  EXPECT_EQ(Parse("name: a\ndata: {fold: 1}\nmodel: {patch_size: [8, 8, 8]}\n").status().message(),
            "job.yaml: data.dataset is missing");
  EXPECT_EQ(Parse("name: a\ndata: {dataset: x}\nmodel: {base_features: 8}\n").status().message(),
            "job.yaml: model.patch_size is missing");
  EXPECT_EQ(Parse("").status().message(), "job.yaml: name is missing");
}

TEST(Job, ValuesOutsideTheirBoundsAreRefused) {
  for (const char* assignment : {"name=Has Blank",
                                 "name=-a",
                                 "train.epochs=0",
                                 "train.epochs=-1",
                                 "train.epochs=9000000000000000000",
                                 "train.epochs=three",
                                 "train.iterations=0",
                                 "train.validation_iterations=-1",
                                 "train.batch_size=0",
                                 "train.gradient_accumulation=0",
                                 "train.gradient_accumulation=3",
                                 "train.seed=-1",
                                 "train.threads=-1",
                                 "train.threads=1025",
                                 "train.learning_rate=-0.1",
                                 "train.learning_rate=nan",
                                 "train.momentum=1.5",
                                 "train.weight_decay=-1",
                                 "train.gradient_clip=0",
                                 "train.foreground_oversampling=1.01",
                                 "train.checkpoint_every=10",
                                 "train.augmentation=3",
                                 "train.augmentation.mirror=maybe",
                                 "cluster.ranks=0",
                                 "cluster.backend=ucx",
                                 "cluster.step_timeout=10ms",
                                 "data.fold=-2",
                                 "data.fold=some",
                                 "data.configuration=4d",
                                 "model.architecture=unet",
                                 "model.patch_size=[8]",
                                 "model.patch_size=[2, 8, 8]",
                                 "model.patch_size=[8, 8, 5000]",
                                 "model.patch_size=8",
                                 "model.base_features=0",
                                 "model.features_max=70000",
                                 "model.strides=[[1, 1, 1]]",
                                 "model.strides=[[1, 1], [2, 2]]",
                                 "model.strides=[[1, 1, 1], [5, 5, 5]]",
                                 "model.strides=[[1, 1, 1], [3, 2, 2]]",
                                 "model.kernels=[[3, 3, 3], [3, 3, 3]]",
                                 "federation.rounds=0",
                                 "federation.mode=open",
                                 "federation.sites.min=0",
                                 "federation.sites.names=[a, A]",
                                 "federation.sites.names=[a, b, a]",
                                 "federation.round_deadline=999ms",
                                 "federation.local.epochs=0",
                                 "federation.strategy.name=fedavgg",
                                 "federation.strategy.weighting=size",
                                 "federation.compression=zip"}) {
    const Status status = ErrorOf(assignment);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << assignment << ": " << status;
    EXPECT_NE(status.message().find(": expected "), std::string::npos) << assignment << ": " << status;
  }
}

TEST(Job, RulesAcrossKeysAreChecked) {
  EXPECT_EQ(Parse(kMinimal, {"model.strides=[[1, 1, 1], [2, 2, 2]]", "model.kernels=[[3, 3, 3]]"}).status().message(),
            "--set model.kernels=[[3, 3, 3]]: model.kernels: expected as many stages as strides has (2), found a list");
  EXPECT_EQ(Parse(kMinimal, {"model.strides=[[1, 1, 1], [2, 2, 2]]", "model.kernels=[[3, 3, 3], [3, 2, 3]]"}).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(
      Parse(kMinimal, {"model.strides=[[1, 1, 1], [4, 4, 4], [4, 4, 4]]"}).status().message(),
      "job.yaml:3: model.patch_size: expected multiples of the product of the strides (axis 0: 16), found a list");
  EXPECT_EQ(Parse(kMinimal, {"data.configuration=2d"}).status().message(),
            "job.yaml:3: model.patch_size: data.configuration '2d' needs 2 sizes, found 3");
  EXPECT_EQ(Parse(kMinimal, {"federation.sites={min: 3, names: [a, b]}"}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Parse(kMinimal, {"federation.local={epochs: 1, iterations: 5}"}).code(), StatusCode::kInvalidArgument);
}

TEST(Job, FoldAllIsMinusOneAndComesBackAsAll) {
  const JobSpec job = Parse(kMinimal, {"data.fold=all"}).value();
  EXPECT_EQ(job.data.fold, -1);
  EXPECT_EQ(JobToJson(job)["data"]["fold"], "all");
}

TEST(Job, TheScheduleIsRoundsTimesLocalWork) {
  const Schedule central = ScheduleOf(Parse(kMinimal, {"train.epochs=7", "train.iterations=11"}).value());
  EXPECT_EQ(central.epochs, 7);
  EXPECT_EQ(central.iterations, 11);
  EXPECT_EQ(central.epochs_per_round, 7);
  const Schedule by_epochs =
      ScheduleOf(Parse(kMinimal, {"train.iterations=11", "federation={rounds: 4, local: {epochs: 2}}"}).value());
  EXPECT_EQ(by_epochs.epochs, 8);
  EXPECT_EQ(by_epochs.iterations, 11);
  EXPECT_EQ(by_epochs.epochs_per_round, 2);
  const Schedule by_iterations = ScheduleOf(Parse(kFull).value());
  EXPECT_EQ(by_iterations.epochs, 4);
  EXPECT_EQ(by_iterations.iterations, 20);
  EXPECT_EQ(by_iterations.epochs_per_round, 1);
  const Schedule largest =
      ScheduleOf(Parse(kMinimal, {"federation={rounds: 1000000000, local: {epochs: 1000000000}}"}).value());
  EXPECT_EQ(largest.epochs, 1'000'000'000'000'000'000) << "no overflow";
}

TEST(Job, ReadJobAppliesAssignmentsInOrderAndNamesTheFile) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "job_test.yaml";
  ASSERT_TRUE(WriteFileAtomic(path, kMinimal).ok());
  EXPECT_EQ(ReadJob(path, {"train.epochs=3", "train.epochs=4"}).value().train.epochs, 4);
  ASSERT_TRUE(WriteFileAtomic(path, std::string(kMinimal) + "train: {epochs: 0}\n").ok());
  EXPECT_EQ(ReadJob(path).status().message().find(path.string() + ":4: train.epochs: expected "), 0u);
  std::filesystem::remove(path);
  EXPECT_EQ(ReadJob(path).code(), StatusCode::kNotFound);
}

// "train.seed" -> "1", for every leaf.
void Flatten(const Json& json, const std::string& prefix, std::map<std::string, std::string>* leaves) {
  for (const auto& [key, value] : json.items()) {
    const std::string path = prefix.empty() ? key : prefix + "." + key;
    if (value.is_object()) {
      Flatten(value, path, leaves);
    } else {
      (*leaves)[path] = value.is_string() ? value.get<std::string>() : value.dump();
    }
  }
}

TEST(JobDocumentation, NamesEveryKeyWithItsDefault) {
  const std::string text = ReadFile(CONSILIUM_SOURCE_DIR "/docs/job-file.md").value();
  std::map<std::string, std::string> leaves;
  Flatten(JobToJson(Parse(kMinimal, {"federation={}"}).value()), "", &leaves);
  EXPECT_GT(leaves.size(), 30u);
  for (const auto& [key, value] : leaves) {
    const bool required = key == "name" || key == "data.dataset" || key == "model.patch_size";
    const std::string row = "| `" + key + "` | " + (required ? "required" : "`" + value + "`") + " | ";
    EXPECT_NE(text.find(row), std::string::npos) << "docs/job-file.md has no row that begins with\n" << row;
  }
}

TEST(JobDocumentation, ItsExampleIsAJob) {
  const std::string text = ReadFile(CONSILIUM_SOURCE_DIR "/docs/job-file.md").value();
  const std::size_t begin = text.find("```yaml\n") + 8, end = text.find("```", begin);
  const StatusOr<JobSpec> job = Parse(text.substr(begin, end - begin));
  EXPECT_TRUE(job.ok()) << job.status();
}

// A job comes to a site from the network: any text must end in a job or an error.
TEST(Job, MutilatedTextNeverCrashes) {
  const std::uint64_t seed = 5;
  Rng rng(seed);
  int accepted = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    std::string text = kFull;
    for (std::uint64_t edits = 1 + rng.Below(4); edits > 0; --edits) {
      const std::size_t at = rng.Below(text.size());
      switch (rng.Below(3)) {
        case 0:
          text[at] = static_cast<char>(rng.Below(256));
          break;
        case 1:
          text.erase(at, rng.Below(20));
          break;
        case 2:
          text.insert(at, text.substr(rng.Below(text.size()), rng.Below(20)));
          break;
      }
    }
    if (const StatusOr<JobSpec> job = Parse(text); job.ok()) {
      ++accepted;
      (void)JobDigest(*job);
      EXPECT_TRUE(Parse(JobToYaml(*job)).ok()) << "seed " << seed << ", trial " << trial << "\n" << text;
    }
  }
  EXPECT_GT(accepted, 0) << "edits within a number leave a valid job";
  EXPECT_LT(accepted, 3000);
}

}  // namespace
}  // namespace consilium::wire
