#include "trainer/checkpoints/checkpoint_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <set>

#include "comm/base/file.h"
#include "comm/tensor/safetensors.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

tensor::ParameterVector Values(std::int64_t size, float first) {
  const StatusOr<tensor::Schema> schema = tensor::Schema::Create({{"a.weight", tensor::DType::kF32, {size}}});
  tensor::ParameterVector values = *tensor::ParameterVector::Zeros(std::make_shared<const tensor::Schema>(*schema));
  for (std::int64_t i = 0; i < size; ++i) values.values()[static_cast<std::size_t>(i)] = first + static_cast<float>(i);
  return values;
}

Checkpoint CheckpointAt(std::int64_t step) {
  Checkpoint checkpoint;
  checkpoint.meta.epoch = step / 10;
  checkpoint.meta.iteration = step % 10;
  checkpoint.meta.step = step;
  checkpoint.meta.loss_sum = 0.1 * static_cast<double>(step);
  checkpoint.meta.job_digest = "abc";
  checkpoint.weights = Values(100, static_cast<float>(step));
  checkpoint.momentum = Values(100, -static_cast<float>(step));
  return checkpoint;
}

class CheckpointStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/checkpoint_store_test.XXXXXX";
    run_ = ::mkdtemp(pattern);
  }
  void TearDown() override { fs::remove_all(run_); }

  CheckpointStore Open() {
    StatusOr<CheckpointStore> store = CheckpointStore::Open(run_);
    EXPECT_TRUE(store.ok()) << store.status();
    return std::move(store).value();
  }
  // The step of the newest usable latest checkpoint, after checking that its numbers belong together; -1: none; -2: an
  // error.
  std::int64_t LatestStep(std::vector<std::string>* notices = nullptr) {
    CheckpointStore store = Open();
    const StatusOr<std::optional<Checkpoint>> loaded = store.Load(CheckpointKind::kLatest, notices);
    if (!loaded.ok()) return -2;
    if (!loaded->has_value()) return -1;
    const Checkpoint& checkpoint = **loaded;
    EXPECT_EQ(checkpoint.weights.digest(), CheckpointAt(checkpoint.meta.step).weights.digest());
    EXPECT_EQ(checkpoint.momentum->digest(), CheckpointAt(checkpoint.meta.step).momentum->digest());
    return checkpoint.meta.step;
  }
  std::set<std::string> FilesIn(const fs::path& folder) const {
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      if (entry.is_regular_file()) names.insert(entry.path().lexically_relative(run_).string());
    return names;
  }
  void Truncate(const std::string& name, std::uintmax_t size) { fs::resize_file(run_ / name, size); }

  fs::path run_;
};

TEST_F(CheckpointStoreTest, WhatIsSavedIsLoadedBitForBit) {
  Checkpoint saved = CheckpointAt(37);
  saved.meta.ema_dice = 0.1 + 0.2;
  saved.meta.world = 3;
  saved.meta.threads = 2;
  saved.meta.metrics = {{"train_loss", -0.25}};
  ASSERT_TRUE(Open().Save(CheckpointKind::kLatest, saved).ok());
  CheckpointStore store = Open();
  const StatusOr<std::optional<Checkpoint>> loaded = store.Load(CheckpointKind::kLatest, nullptr);
  ASSERT_TRUE(loaded.ok() && loaded->has_value()) << loaded.status();
  const CheckpointMeta& meta = (*loaded)->meta;
  EXPECT_EQ(meta.epoch, 3);
  EXPECT_EQ(meta.iteration, 7);
  EXPECT_EQ(meta.step, 37);
  EXPECT_EQ(meta.loss_sum, saved.meta.loss_sum);
  EXPECT_EQ(meta.ema_dice, saved.meta.ema_dice);
  EXPECT_EQ(meta.best_ema_dice, std::nullopt);
  EXPECT_EQ(meta.world, 3);
  EXPECT_EQ(meta.threads, 2);
  EXPECT_EQ(meta.job_digest, "abc");
  EXPECT_EQ(meta.metrics, saved.meta.metrics);
  EXPECT_EQ((*loaded)->weights.digest(), saved.weights.digest());
  EXPECT_EQ((*loaded)->momentum->digest(), saved.momentum->digest());
}

TEST_F(CheckpointStoreTest, ThePublicNamesAreTheNewestWeightsAndManifest) {
  CheckpointStore store = Open();
  for (const std::int64_t step : {1, 2, 3}) {
    ASSERT_TRUE(store.Save(CheckpointKind::kLatest, CheckpointAt(step)).ok());
    const StatusOr<tensor::ParameterVector> weights = tensor::ReadParameters(run_ / "checkpoint_latest.safetensors");
    ASSERT_TRUE(weights.ok()) << weights.status();
    EXPECT_EQ(weights->digest(), CheckpointAt(step).weights.digest());
    EXPECT_EQ((*ReadJson(run_ / "checkpoint_latest.json"))["step"], step);
  }
}

TEST_F(CheckpointStoreTest, LatestKeepsTwoGenerationsAndTheOthersOne) {
  CheckpointStore store = Open();
  for (const std::int64_t step : {1, 2, 3, 4})
    for (const CheckpointKind kind : {CheckpointKind::kLatest, CheckpointKind::kBest}) {
      Checkpoint checkpoint = CheckpointAt(step);
      if (kind == CheckpointKind::kBest) checkpoint.momentum.reset();
      ASSERT_TRUE(store.Save(kind, checkpoint).ok());
    }
  EXPECT_THAT(FilesIn(run_ / "checkpoints"),
              ElementsAre("checkpoints/best-000004.json", "checkpoints/best-000004.safetensors",
                          "checkpoints/latest-000003.json", "checkpoints/latest-000003.optimizer.safetensors",
                          "checkpoints/latest-000003.safetensors", "checkpoints/latest-000004.json",
                          "checkpoints/latest-000004.optimizer.safetensors", "checkpoints/latest-000004.safetensors"));
}

TEST_F(CheckpointStoreTest, NothingWasEverSavedIsNotAnError) { EXPECT_EQ(LatestStep(), -1); }

// A kill -9 between any two file operations of Save() leaves a prefix of its effects.
TEST_F(CheckpointStoreTest, AWriterKilledAtAnyPointLeavesTheOldOrTheNewCheckpoint) {
  CheckpointStore store = Open();
  ASSERT_TRUE(store.Save(CheckpointKind::kLatest, CheckpointAt(1)).ok());
  ASSERT_TRUE(store.Save(CheckpointKind::kLatest, CheckpointAt(2)).ok());
  const std::string stem = "checkpoints/latest-000003";
  const auto copy = [&](const std::string& ending) {
    fs::copy_file(run_ / ("checkpoints/latest-000002" + ending), run_ / (stem + ending));
  };
  // Only what AtomicFile had named before the kill.
  std::ofstream(run_ / (stem + ".safetensors.tmp.123.0")) << "half";
  EXPECT_EQ(LatestStep(), 2);
  copy(".safetensors");
  EXPECT_EQ(LatestStep(), 2);
  copy(".safetensors");
  copy(".optimizer.safetensors");
  std::ofstream(run_ / (stem + ".json.tmp.123.1")) << "{";
  EXPECT_EQ(LatestStep(), 2);
  EXPECT_THAT(FilesIn(run_ / "checkpoints").count(stem + ".safetensors"), 0u) << "swept";
  EXPECT_THAT(FilesIn(run_ / "checkpoints").size(), 6u);
  // After the commit, before the public names: they are put right by the next Open().
  ASSERT_TRUE(store.Save(CheckpointKind::kLatest, CheckpointAt(3)).ok());
  fs::remove(run_ / "checkpoint_latest.safetensors");
  fs::copy_file(run_ / "checkpoints/latest-000002.safetensors", run_ / "checkpoint_latest.safetensors");
  fs::remove(run_ / "checkpoint_latest.json");
  EXPECT_EQ(LatestStep(), 3);
  EXPECT_EQ(tensor::ReadParameters(run_ / "checkpoint_latest.safetensors")->digest(), CheckpointAt(3).weights.digest());
  EXPECT_TRUE(fs::exists(run_ / "checkpoint_latest.json"));
}

TEST_F(CheckpointStoreTest, AnyDamagedFileOfTheNewestFallsBackToTheOneBeforeAndSaysSo) {
  for (const std::string ending : {".safetensors", ".optimizer.safetensors", ".json"}) {
    for (const std::string damage : {"truncated", "emptied", "bit flipped", "removed"}) {
      SCOPED_TRACE(ending + " " + damage);
      fs::remove_all(run_);
      fs::create_directory(run_);
      CheckpointStore store = Open();
      ASSERT_TRUE(store.Save(CheckpointKind::kLatest, CheckpointAt(1)).ok());
      ASSERT_TRUE(store.Save(CheckpointKind::kLatest, CheckpointAt(2)).ok());
      const std::string name = "checkpoints/latest-000002" + ending;
      if (damage == "truncated") Truncate(name, fs::file_size(run_ / name) - 3);
      if (damage == "emptied") Truncate(name, 0);
      if (damage == "removed") fs::remove(run_ / name);
      if (damage == "bit flipped") {
        std::string content = *ReadFile(run_ / name);
        content[ending == ".json" ? content.find("sha256") + 12 : content.size() - 1] ^= 1;
        std::ofstream(run_ / name, std::ios::binary) << content;
      }
      std::vector<std::string> notices;
      EXPECT_EQ(LatestStep(&notices), 1);
      // A manifest that is not there was never committed as far as anybody can tell; everything else is said.
      if (!(ending == ".json" && damage == "removed")) {
        EXPECT_THAT(notices, ElementsAre(HasSubstr("latest-000001 is used instead")));
      }
      // The good one stays the fallback after the next save.
      ASSERT_TRUE(Open().Save(CheckpointKind::kLatest, CheckpointAt(3)).ok());
      Truncate("checkpoints/latest-000002.safetensors", 10);
      EXPECT_EQ(LatestStep(), 1);
      EXPECT_EQ(tensor::ReadParameters(run_ / "checkpoint_latest.safetensors")->digest(),
                CheckpointAt(1).weights.digest());
    }
  }
}

TEST_F(CheckpointStoreTest, WhenNoGenerationIsWholeTheErrorNamesEachAndItsMend) {
  CheckpointStore store = Open();
  ASSERT_TRUE(store.Save(CheckpointKind::kLatest, CheckpointAt(1)).ok());
  ASSERT_TRUE(store.Save(CheckpointKind::kLatest, CheckpointAt(2)).ok());
  Truncate("checkpoints/latest-000001.safetensors", 20);
  Truncate("checkpoints/latest-000002.optimizer.safetensors", 20);
  const StatusOr<std::optional<Checkpoint>> loaded = store.Load(CheckpointKind::kLatest, nullptr);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.code(), StatusCode::kStorage);
  EXPECT_THAT(loaded.status().message(), HasSubstr("latest-000001.safetensors"));
  EXPECT_THAT(loaded.status().message(), HasSubstr("latest-000002.optimizer.safetensors"));
  EXPECT_THAT(loaded.status().message(), HasSubstr("mend"));
  EXPECT_EQ(FilesIn(run_ / "checkpoints").size(), 6u) << "nothing is thrown away without a replacement";
}

TEST_F(CheckpointStoreTest, AManifestThatPointsOutOfTheFolderIsRefused) {
  CheckpointStore store = Open();
  ASSERT_TRUE(store.Save(CheckpointKind::kLatest, CheckpointAt(1)).ok());
  Json manifest = *ReadJson(run_ / "checkpoints/latest-000001.json");
  manifest["files"]["weights"]["name"] = "../../etc/passwd";
  ASSERT_TRUE(WriteJson(run_ / "checkpoints/latest-000001.json", manifest).ok());
  EXPECT_EQ(LatestStep(), -2);
}

// A disk that is full, as the kernel tells it: a file may not grow beyond the limit.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit before_{};
  void (*old_handler_)(int) = nullptr;
};

TEST_F(CheckpointStoreTest, AFullDiskAtAnyByteIsAStorageErrorAndLeavesWhatWasThere) {
  CheckpointStore store = Open();
  ASSERT_TRUE(store.Save(CheckpointKind::kLatest, CheckpointAt(1)).ok());
  const std::set<std::string> before = FilesIn(run_);
  Checkpoint next = CheckpointAt(2);
  next.weights = Values(50, 2);  // the optimizer's file is the larger one, so that each of the three can fail
  next.meta.metrics = {{"text", std::string(2000, 'x')}};
  int failures = 0;
  for (rlim_t bytes = 0; bytes < 3200; bytes += 100) {
    Status saved;
    {
      const FileSizeLimit full(bytes);
      saved = store.Save(CheckpointKind::kLatest, next);
    }
    if (saved.ok()) break;
    ++failures;
    EXPECT_EQ(saved.code(), StatusCode::kStorage) << saved;
    EXPECT_EQ(ExitCodeFor(saved), ExitCode::kStorage);
    EXPECT_EQ(FilesIn(run_), before) << "at " << bytes << " bytes";
    EXPECT_EQ(LatestStep(), 1);
  }
  EXPECT_GT(failures, 20);
  EXPECT_EQ((*ReadJson(run_ / "checkpoint_latest.json"))["step"], 2) << "with room it is saved after all";
}

TEST_F(CheckpointStoreTest, RemovedCheckpointsAreGoneAndTheOthersStay) {
  CheckpointStore store = Open();
  Checkpoint last = CheckpointAt(9);
  ASSERT_TRUE(store.Save(CheckpointKind::kLatest, last).ok());
  last.momentum.reset();
  ASSERT_TRUE(store.Save(CheckpointKind::kFinal, last).ok());
  ASSERT_TRUE(store.Remove(CheckpointKind::kLatest).ok());
  EXPECT_EQ(LatestStep(), -1);
  EXPECT_THAT(FilesIn(run_), ElementsAre("checkpoint_final.json", "checkpoint_final.safetensors",
                                         "checkpoints/final-000001.json", "checkpoints/final-000001.safetensors"));
}

}  // namespace
}  // namespace consilium::trainer
