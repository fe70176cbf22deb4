// The account book of a data set's privacy: what was released from it, in a file that outlives crashes, and a budget
// that no release may exceed.
//
// All releases of one ledger are about one unit: cases and sites have ledgers of their own.
//
// A charge is durable before the release that it is for: killed in between, the budget has paid for something that
// nobody saw, never the other way round.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "comm/base/folder_lock.h"
#include "comm/base/status.h"
#include "privacy/dp/mechanism.h"

namespace consilium::dp {

struct Budget {
  double epsilon = 8;
  double delta = 1e-5;
  friend bool operator==(const Budget&, const Budget&) = default;
};

struct Spending {
  double epsilon = 0;      // the upper bound of the privacy-loss-distribution accountant, or Rényi's where that one
                           // would need too fine a grid, or sums in integers are among the releases
  double epsilon_rdp = 0;  // Rényi's, never below
};

// Strand-bound; one process a folder, which has ledger.json and a lock.
class Ledger {
 public:
  // Makes the folder or reads what it has.  A budget may be larger or smaller than it was; what was spent stays.
  // `scope`: the budget is for releases whose names begin with it; "" for all of the data set's.
  // Errors: InvalidArgument for a budget that makes no sense; DataLoss for a file that is none of ours;
  // FailedPrecondition when another process has it.
  static StatusOr<std::unique_ptr<Ledger>> Open(const std::filesystem::path& folder, const Budget& budget,
                                                const std::string& scope = "");

  // What the scope has spent.
  StatusOr<double> Spent() const;
  // What it would have spent with this as well.
  StatusOr<Spending> SpentWith(const Mechanism& mechanism) const;
  // By Rényi's accountant alone: quicker, and never below.
  StatusOr<double> RenyiWith(const Mechanism& mechanism) const;
  // The same as Spent() and SpentWith() of all releases, whatever their names.
  StatusOr<double> SpentInAll() const;
  StatusOr<Spending> SpentInAllWith(const Mechanism& mechanism) const;

  // Would Charge() be within the budget?  The same errors; nothing is charged.
  Status CanCharge(const std::string& release, const Mechanism& mechanism) const;
  // Pays for the release named `release` ("job/round/attempt").  Charging the same release again, with the same
  // mechanism, costs nothing: it is the same release, done again after a crash before anything of it was sent.
  // Errors: PrivacyBudget with the numbers, and nothing is charged; FailedPrecondition when the name was charged with
  // another mechanism; InvalidArgument for a name outside the scope; Storage, and the release must not happen.
  Status Charge(const std::string& release, const Mechanism& mechanism);

  const std::map<std::string, Mechanism>& charges() const { return charges_; }

 private:
  Ledger(std::filesystem::path path, const Budget& budget, std::string scope, FolderLock lock)
      : path_(std::move(path)), budget_(budget), scope_(std::move(scope)), lock_(std::move(lock)) {}
  Status Read();
  Status Write() const;

  std::filesystem::path path_;
  Budget budget_;
  std::string scope_;
  FolderLock lock_;
  std::map<std::string, Mechanism> charges_;
};

}  // namespace consilium::dp
