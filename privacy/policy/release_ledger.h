// What of each data set has left this site, over all jobs: counted on disk before the work begins, and never given
// back, so that a crash, a cancelled task or a coordinator that asks again cannot lower the count.
//
// A file of lines, {"dataset", "task", "round", "time"}: appended and made durable one by one.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>

#include "comm/base/time.h"
#include "comm/wire/messages.h"

namespace consilium::policy {

// What was charged on one data set.
struct SpentKeys {
  std::set<std::string> tasks, rounds;
};
struct SpentCounts {
  std::int64_t rounds = 0, releases = 0;
};
using Spent = std::map<std::string, SpentCounts>;  // by data set
// Of a ledger that somebody else may be writing.  Errors: NotFound; DataLoss when a line is no entry.
StatusOr<Spent> ReadSpent(const std::filesystem::path& path);

// Strand-bound; one writer a file.
class ReleaseLedger {
 public:
  // Makes the file (mode 0600) or goes on with one; a last line that a crash cut short is removed.  Errors: DataLoss
  // when a line is no entry; Storage.
  static StatusOr<std::unique_ptr<ReleaseLedger>> Open(std::filesystem::path path, const Clock* clock = &SystemClock());
  ~ReleaseLedger();

  std::int64_t Releases(const std::string& dataset) const;
  // Of training alone: the same round again, in another attempt, is no new one.
  std::int64_t Rounds(const std::string& dataset) const;
  bool Has(const std::string& dataset, const wire::TaskKey& task) const;
  // Would Charge count a round of its own?
  bool OpensRound(const std::string& dataset, const wire::TaskKey& task) const;
  // Durable when it returns; a task that was charged before is not charged again.  Errors: Storage: the work must not
  // begin then.
  Status Charge(const std::string& dataset, const wire::TaskKey& task);

 private:
  ReleaseLedger(std::filesystem::path path, const Clock* clock) : path_(std::move(path)), clock_(clock) {}
  Status Load();
  std::filesystem::path path_;
  const Clock* clock_;
  int descriptor_ = -1;
  std::map<std::string, SpentKeys> spent_;
};

}  // namespace consilium::policy
