// RUN/metrics.jsonl: one JSON object a line, one line an epoch, in order.
#pragma once

#include <filesystem>

#include "comm/base/json.h"

namespace consilium::trainer {

// Strand-bound.
class MetricsLog {
 public:
  // Keeps the lines of epochs before `first_epoch`: a run that goes on from a checkpoint writes the later ones again.
  static StatusOr<MetricsLog> Open(const std::filesystem::path& path, std::int64_t first_epoch);

  // `line` has a key "epoch".  Whole or not at all: a line that the disk cut short is taken back.  Storage.
  Status Append(const Json& line);

 private:
  explicit MetricsLog(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace consilium::trainer
