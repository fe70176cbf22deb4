// A round's update as a release under privacy.records: where its noise comes from, and who pays for it.
//
// The noise is a function of the site's own secret (privacy/dp/noise_key.h) and of everything that the update is a
// function of: job, round, attempt, received model, kept state, the training cases themselves, threads and build.  So
// work that is done again after a kill makes the same update, which is the same release and is paid for once; with
// anything else changed - another attempt, a coordinator that gives the same round with another model, a case more -
// the noise is fresh and is paid for anew.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "comm/wire/worker.h"
#include "privacy/dp/record_account.h"
#include "trainer/loop/trainer.h"
#include "trainer/worker/task_runner.h"

namespace consilium::trainer {

// Strand-bound; holds the ledger's lock, so it lives for one task.
class ReleasePrivacy {
 public:
  struct Options {
    std::filesystem::path ledgers;  // RunnerOptions::ledgers
    const std::string& data_set;    // its folder's name: one ledger each
    const wire::JobSpec& job;       // with privacy.records
    const wire::WorkerTask& task;
    std::span<const datasets::PreparedCase> cases;  // for training
    const Trainer& trainer;                         // made for the job
  };
  // Errors: InvalidArgument without a folder; those of dp::Ledger::Open, dp::OpenNoiseKey, and of reading the files.
  static StatusOr<ReleasePrivacy> Open(const Options& options);

  // Sets the trainer's noise for `steps` steps.  PrivacyBudget when they would be too many: nothing is trained then.
  Status Begin(Trainer* trainer, std::int64_t steps);
  // Before the update is written.  Adds epsilon, epsilon_rdp, epsilon_data_set, delta, noise_multiplier and
  // sampling_rate, and logs the whole report.  Errors: those of dp::Ledger::Charge; the update must not be written.
  Status Pay(wire::Metrics* metrics);

 private:
  ReleasePrivacy(dp::RecordAccount account, SecretBytes key, std::string job, std::string release)
      : account_(std::move(account)), key_(std::move(key)), job_(std::move(job)), release_(std::move(release)) {}

  dp::RecordAccount account_;
  SecretBytes key_;
  std::string job_, release_;  // "3.0/1f..."
  std::int64_t steps_ = 0;
};

}  // namespace consilium::trainer
