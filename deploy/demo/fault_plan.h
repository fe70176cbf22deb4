// What the demo breaks on purpose, to show that it does not matter: the coordinator is killed in the middle of a round,
// later a hospital's client, each with SIGKILL.  With more than three hospitals one of them vanishes for good instead,
// in the middle of a secret sum.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "comm/base/json.h"
#include "deploy/demo/workspace.h"

namespace consilium::demo {

struct Fault {
  enum class When {
    kFirstUpdate,  // the first site of a round has trained
    kTraining,     // the victim trains
    kSharing,      // secure: the victim has shared its keys, and its masked vector is on its way
  };
  enum class After { kRestart, kGone };
  std::int64_t round = 0;  // from 0
  std::string victim;      // a process of the federation
  When when = When::kFirstUpdate;
  After after = After::kRestart;
  std::string story;  // what to say when it happens
};

// Strand-bound.
class FaultPlan {
 public:
  FaultPlan() = default;  // nothing breaks
  // With at least 3 rounds: the coordinator dies once a site of a round has trained, and the last site's client some
  // rounds later.  With fewer rounds nothing breaks.
  static FaultPlan For(const Workspace& workspace);

  // The fault that is due now that this event was seen; each comes once.
  std::optional<Fault> Due(const Json& event);
  // The next one's moment passes in milliseconds and is near: events have to be looked at more often.
  bool urgent() const { return urgent_; }
  // Those that happened, in order.
  const std::vector<Fault>& happened() const { return happened_; }
  // Has this process gone for good?
  bool IsGone(const std::string& name) const;

 private:
  std::vector<Fault> planned_, happened_;
  bool urgent_ = false;
};

}  // namespace consilium::demo
