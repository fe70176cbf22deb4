// The checkpoints of one RUN directory: whole or absent, checked when read, the one before kept for when a disk lies.
//
// What people see: checkpoint_{latest,best,final}.safetensors (weights alone, for anybody's reader) and
// checkpoint_{...}.json, hard links to the newest generation in RUN/checkpoints/:
//
//   latest-000007.safetensors             weights
//   latest-000007.optimizer.safetensors   momentum (latest only)
//   latest-000007.json                    the manifest: cursor, metrics, SHA-256 of the other two
//
// The manifest is written last and is the commit point: a generation without one does not exist.  So kill -9 at any
// moment leaves the old or the new checkpoint, and Open() sweeps what a killed writer left.  `latest` keeps two
// generations: when a file of the newest is missing or its SHA-256 is not the manifest's, the one before is used, and
// Load() says so.
//
// Thread rule: strand-bound.  One writer: hold the RUN's lock (run_lock.h).
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "comm/base/digest.h"
#include "comm/base/json.h"
#include "comm/tensor/parameter_vector.h"

namespace consilium::trainer {

enum class CheckpointKind { kLatest, kBest, kFinal };
std::string CheckpointName(CheckpointKind kind);  // "latest", "best", "final"

// What a manifest says besides the files.
struct CheckpointMeta {
  std::int64_t epoch = 0;      // the cursor
  std::int64_t iteration = 0;  // steps of that epoch that are done
  std::int64_t step = 0;       // optimizer steps in all
  double loss_sum = 0;         // of the steps of that epoch
  double seconds = 0;          // of the steps of that epoch
  int world = 1;               // ranks that wrote it: bits are promised for the same number alone
  int threads = 1;
  std::string job_digest;
  // Exponential moving average of the mean pseudo Dice, and the highest it has been.
  std::optional<double> ema_dice, best_ema_dice;
  Json metrics = Json::object();  // of the last finished epoch
};

struct Checkpoint {
  CheckpointMeta meta;
  tensor::ParameterVector weights;
  std::optional<tensor::ParameterVector> momentum;  // kLatest only
};

class CheckpointStore {
 public:
  // `run` must exist.  For a writer: makes RUN/checkpoints and removes what is no part of a committed generation.
  static StatusOr<CheckpointStore> Open(const std::filesystem::path& run);

  // Durable when it returns OK.  Otherwise nothing of it remains and the checkpoints that were there still are.
  // Errors: Storage (disk full, ...).
  Status Save(CheckpointKind kind, const Checkpoint& checkpoint);

  // The newest generation that is whole; nullopt when none was ever committed.  Newer ones that are not are then
  // discarded, so that the good one stays the fallback of the next Save(); `notices` gets a line for each.
  // Errors: Storage when there are some and none is whole (then nothing is discarded).
  StatusOr<std::optional<Checkpoint>> Load(CheckpointKind kind, std::vector<std::string>* notices);

  Status Remove(CheckpointKind kind);

 private:
  explicit CheckpointStore(std::filesystem::path run) : run_(std::move(run)) {}
  std::filesystem::path run_;
};

}  // namespace consilium::trainer
