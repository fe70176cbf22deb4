#include "round_audit.h"

#include <gtest/gtest.h>

namespace consilium::coordinator {

void RoundAudit::Take(const Record& record) {
  if (const auto* opened = std::get_if<JobOpened>(&record)) {
    plan_ = PlanOf(opened->job_json).value();
    preparing_ = plan_.plans;
  }
  if (std::holds_alternative<ModelInitialized>(record)) preparing_ = false;
  if (preparing_) return;  // statistics are counted by the plan that is made of them
  if (const auto* update = std::get_if<UpdateAccepted>(&record)) {
    const Update key{update->site, update->task};
    EXPECT_TRUE(open_.insert(key).second) << update->site << " counts twice for " << update->task;
    EXPECT_FALSE(spent_.contains(key)) << update->site << "'s update for " << update->task << " was used before";
  }
  if (const auto* lost = std::get_if<UpdateWithdrawn>(&record)) open_.erase({lost->site, lost->task});
  if (const auto* masked = std::get_if<UnmaskingBegan>(&record)) {
    for (const auto& [site, vector] : masked->vectors) {
      EXPECT_TRUE(open_.insert({site, wire::TaskKey{.round = masked->round}}).second) << site << " counts twice";
      unmasked_.insert(site);
    }
  }
  // A group that was left out while it was being unmasked.
  if (const auto* group = std::get_if<GroupSettled>(&record); group != nullptr && !group->why_not.empty())
    for (const SiteName& site : unmasked_) open_.erase({site, wire::TaskKey{.round = group->round}});
  if (std::holds_alternative<GroupSettled>(record)) unmasked_.clear();
  if (std::holds_alternative<RoundSkipped>(record)) open_.clear();
  if (std::holds_alternative<RoundClosed>(record)) {
    EXPECT_GE(open_.size(), plan_.grouping ? plan_.groups_min * plan_.min_cohort : plan_.sites_min)
        << "a round below its minimum";
  }
  if (std::holds_alternative<ModelPublished>(record)) {
    used_ += open_.size();
    spent_.merge(open_);
    open_.clear();
  }
}

void RoundAudit::Take(const FoldRound& fold) const {
  EXPECT_EQ(fold.contributions.size(), open_.size()) << "round " << fold.round;
  std::multiset<SiteName> folded, accepted;
  for (const Contribution& contribution : fold.contributions) folded.insert(contribution.site);
  for (const auto& [site, task] : open_) accepted.insert(site);
  EXPECT_EQ(folded, accepted) << "round " << fold.round;
}

}  // namespace consilium::coordinator
