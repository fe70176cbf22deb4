// A site with a data set of a few small cubes, and the tasks that its client would give.
#pragma once

#include <gtest/gtest.h>

#include "comm/tensor/safetensors.h"
#include "comm/wire/job.h"
#include "tests/testing/run_program.h"
#include "tests/testing/tiny_dataset.h"
#include "trainer/models/parameters.h"
#include "trainer/models/registry.h"
#include "trainer/worker/task_runner.h"

namespace consilium::trainer {

class Recorder final : public TaskMonitor {
 public:
  void Report(double progress, const wire::Metrics& metrics) override {
    progress_.push_back(progress);
    metrics_ = metrics;
    if (static_cast<int>(progress_.size()) >= cancel_after) cancelled_ = true;
  }
  bool cancelled() const override { return cancelled_; }
  const std::vector<double>& progress() const { return progress_; }
  const wire::Metrics& metrics() const { return metrics_; }

  int cancel_after = 1 << 30;

 private:
  std::vector<double> progress_;
  wire::Metrics metrics_;
  bool cancelled_ = false;
};

class TinySiteTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kRounds = 2, kIterations = 2;

  void SetUp() override {
    consilium::testing::TinyDatasetOptions options;
    options.held_out = true;
    const auto dataset = consilium::testing::WriteTinyDataset(folder_.path(), options);
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    dataset_ = *dataset;
    auto root = ConfigNode::Parse(consilium::testing::TinyJobYaml("tiny", kRounds, kIterations), "job");
    ASSERT_TRUE(root.ok()) << root.status();
    ASSERT_TRUE(root->Set("train.threads=1").ok());
    ASSERT_TRUE(root->Set("federation.rounds=" + std::to_string(kRounds)).ok());
    auto job = wire::ParseJob(*root);
    ASSERT_TRUE(job.ok()) << job.status();
    job_ = *job;
    WriteFirstModel();
  }

  void WriteFirstModel() {
    const auto spec = ResolveModel(job_.model);
    ASSERT_TRUE(spec.ok()) << spec.status();
    const auto model = MakeModel(*spec, {.channels = 1, .classes = 3}, static_cast<std::uint64_t>(job_.train.seed));
    ASSERT_TRUE(model.ok()) << model.status();
    ASSERT_TRUE(tensor::WriteParameters(folder_ / "model-0", ExportParameters(**model)).ok());
  }

  wire::WorkerTask TaskOf(wire::TaskKind kind, std::uint32_t round) const {
    wire::WorkerTask task;
    task.task = {JobId("tiny"), Round{round}, Attempt{0}, kind};
    task.job_json = wire::JobToJson(job_).dump();
    task.data_dir = folder_.path().string();
    task.model_path = folder_ / Concat("model-", round);
    task.update_path = folder_ / Concat("model-", round + 1);  // one site: its update is the next global model
    task.state_out = folder_ / Concat("state-", round + 1);
    if (round > 0) task.state_in = folder_ / Concat("state-", round);
    task.output_dir = folder_ / "predictions";
    return task;
  }

  consilium::testing::ScratchFolder folder_;
  std::filesystem::path dataset_;
  wire::JobSpec job_;
};

}  // namespace consilium::trainer
