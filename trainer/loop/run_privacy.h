// What a run with privacy.records pays: every checkpoint and the final model is a release, paid for before it is
// written.  The noise is fresh in each process, so steps that are done again after a kill are other steps, and are paid
// for again as far as the first ones had been.
#pragma once

#include <filesystem>
#include <memory>

#include "comm/base/entropy.h"
#include "privacy/dp/record_account.h"
#include "trainer/loop/trainer.h"

namespace consilium::trainer {

// Strand-bound; holds the ledger's lock.
class RunPrivacy {
 public:
  struct Options {
    std::filesystem::path ledger;  // folder
    wire::JobSpec job;             // with privacy.records
    Entropy* entropy = &SystemEntropy();
  };
  // `trainer`: made for the job; must outlive this.  Errors: those of dp::Ledger::Open.
  static StatusOr<std::unique_ptr<RunPrivacy>> Open(const Options& options, Trainer* trainer);

  // Training goes on after `done` of `total` steps.  PrivacyBudget when the budget bears no further one and there is
  // one to do.
  Status Begin(std::int64_t done, std::int64_t total);
  // The last step that the budget bears; `total` of Begin() when it bears all.
  std::int64_t last_step() const { return last_; }
  // The state after `done` steps is about to be written.
  Status Pay(std::int64_t done);
  // After `done` steps, paid for or not.
  StatusOr<dp::RecordReport> Report(std::int64_t done) const { return account_.Report(done - paid_); }
  // PrivacyBudget, for a person.
  Status Spent(std::int64_t total) const;

 private:
  RunPrivacy(const Options& options, Trainer* trainer, dp::RecordAccount account)
      : options_(options), trainer_(trainer), account_(std::move(account)) {}

  const Options options_;
  Trainer* const trainer_;
  dp::RecordAccount account_;
  std::string name_;  // of this process's part of the run
  std::int64_t paid_ = 0, last_ = 0;
};

}  // namespace consilium::trainer
