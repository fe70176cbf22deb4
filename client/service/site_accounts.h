// What this site has paid for under privacy.sites, a ledger a data set, and the secret that its noise comes from:
// STATE/privacy/<data set>/site/, apart from the cases' own ledger, whose unit is another one.
#pragma once

#include <filesystem>
#include <mutex>

#include "client/core/session_io.h"
#include "comm/base/entropy.h"

namespace consilium::client {

// Thread-safe.
class SiteAccounts {
 public:
  // `ledgers`: WorkFolder::ledgers().  `entropy` outlives this.
  SiteAccounts(std::filesystem::path ledgers, Entropy* entropy) : ledgers_(std::move(ledgers)), entropy_(entropy) {}

  // Before a round is trained in vain: would another release like the job's last one be within its budget?  Errors:
  // PrivacyBudget; InvalidArgument for a data set's name that is none; those of dp::Ledger::Open.
  Status CheckAnother(const std::string& job, const SitePrivacyWork& privacy);
  // Pays, durably, and gives the noise's secret.  A release that is paid for already costs nothing.  Errors: those of
  // dp::Ledger::Charge and dp::OpenNoiseKey: nothing may be released.
  StatusOr<SecretBytes> Pay(const NoisyRelease& release);

 private:
  StatusOr<std::filesystem::path> FolderOf(const std::string& data_set) const;

  std::mutex mutex_;  // a ledger is open once
  std::filesystem::path ledgers_;
  Entropy* entropy_;
};

}  // namespace consilium::client
