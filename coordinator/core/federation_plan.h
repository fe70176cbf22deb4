// The part of a job file that the coordinator itself acts on.
#pragma once

#include <set>
#include <string>

#include "comm/base/ids.h"
#include "comm/base/time.h"
#include "comm/wire/deadline_policy.h"
#include "comm/wire/job.h"

namespace consilium::coordinator {

enum class RoundMode : std::uint8_t {
  kClose,  // the round closes at its deadline without those who are missing
  kWait,   // the round waits for every site
  kAsync,  // a round is the next so many updates, from whatever model they started (FedBuff)
  kSecure  // a round closes with a secure sum of those who are there; below its minimum it waits for sites
};
std::string_view RoundModeName(RoundMode mode);  // "close"
enum class Weighting : std::uint8_t { kExamples, kEqual };

struct FederationPlan {
  Round rounds{};  // how many
  RoundMode mode = RoundMode::kClose;
  std::size_t sites_min = 1;
  Duration round_deadline{};
  Weighting weighting = Weighting::kExamples;

  // Mode close: who is asked (cohort.h), and after how many replies the others have only a grace.
  std::uint64_t seed = 1;
  double fraction = 1;
  std::size_t over_select = 0;
  std::size_t enough = 0;  // 0: all

  // Mode async.
  std::size_t buffer = 1;           // updates that make a round
  std::uint32_t staleness_max = 0;  // rounds

  std::uint32_t evaluate_every = 0;  // rounds; 0: at the end alone
  bool evaluate_heldout = false;     // else on validation cases, which may choose the best model
  std::string metric = "dice";
  std::uint32_t patience = 0;  // evaluations without improvement; 0: no early stop
  double min_delta = 0;
  bool cross_site = false;

  bool plans = false;  // the sites plan the network together before round 0
  // Mode secure.
  std::uint32_t min_cohort = 3;  // of a sum
  double clip = 1;               // of a value of an update
  wire::SecureSpec secure;
  wire::SitePrivacySpec site_privacy;

  std::set<std::string> features;  // that a site must have (wire/capability.h)

  wire::DeadlinePolicy deadlines() const { return wire::DeadlinePolicy(round_deadline); }
  // Under privacy.sites no site tells a score.
  bool evaluates() const { return !site_privacy.enabled; }
  // "loss" and its like fall, everything else grows.
  bool SmallerIsBetter() const { return metric.starts_with("loss"); }
  friend bool operator==(const FederationPlan&, const FederationPlan&) = default;
};

// Reads the plan out of a resolved job.  Errors: InvalidArgument when it has no federation.
StatusOr<FederationPlan> PlanOf(const std::string& job_json);

}  // namespace consilium::coordinator
