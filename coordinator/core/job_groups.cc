// Mode secure with groups (privacy/secagg/groups.h): one sum for each group, one after another, so that a strategy can
// compare the groups' means.
//
//   the beacon, once a job -> group by group: session 1 -> (abort, fresh keys) -> ... -> unmasking -> settled -> fold
//
// A group whose sum cannot be had is left out where enough others remain: a site that spoils sums again and again, or
// a few that are away, cost their group and not the round.
#include <algorithm>

#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {
namespace {

constexpr std::uint32_t kSessionsMax = 3;  // of one group in one round, where enough groups are summed without it

// Both in name order.
std::vector<SiteName> Common(const std::vector<SiteName>& a, const std::vector<SiteName>& b) {
  std::vector<SiteName> common;
  std::ranges::set_intersection(a, b, std::back_inserter(common));
  return common;
}

}  // namespace

std::string JobMachine::NameOfGroup(std::uint32_t group) const {
  return Concat("group ", group + 1, " of ", state_.groups().size());
}

void JobMachine::TryCloseGroups() {
  const bool enough = state_.groups_summed() >= state_.plan().groups_min;
  const std::vector<SiteName> awaited = state_.Awaited(), ready = ReadySites();
  struct Sum {
    std::uint32_t group = 0, tries = 0;
    std::vector<SiteName> sites;
  };
  std::optional<Sum> next;  // the fewest tries first
  std::size_t possible = 0, worth_waiting = 0;
  for (std::uint32_t group = 0; group < state_.groups().size(); ++group) {
    if (state_.settled().contains(group)) continue;
    const std::size_t wanted = Common(awaited, state_.groups()[group]).size();
    if (wanted < state_.SumMin(group)) continue;
    ++possible;
    const std::uint32_t tries = state_.SessionsOf(group);
    if (enough && tries >= kSessionsMax) continue;
    ++worth_waiting;
    std::vector<SiteName> there = Common(ready, state_.groups()[group]);
    if (there.size() < state_.SumMin(group) || (there.size() < wanted && !deadline_over_)) continue;
    if (!next || tries < next->tries) next = Sum{group, tries, std::move(there)};
  }
  if (next) return OpenSession(next->sites, next->group);
  if (enough && (worth_waiting == 0 || deadline_over_)) {
    LeaveOutTheOthers();
    return CloseSecureRound();
  }
  if (state_.groups_summed() + possible < state_.plan().groups_min) GiveUpRound(possible);
}

void JobMachine::LeaveOutTheOthers() {
  const std::vector<SiteName> ready = ReadySites();
  for (std::uint32_t group = 0; group < state_.groups().size(); ++group) {
    if (state_.settled().contains(group)) continue;
    const std::size_t there = Common(ready, state_.groups()[group]).size();
    const std::string why = there < state_.SumMin(group)
                                ? Concat(there, " of its ", state_.groups()[group].size(),
                                         " sites are ready; at least ", state_.SumMin(group), " are to be in a sum")
                                : Concat("its sum was begun ", state_.SessionsOf(group), " times in vain");
    Commit(GroupSettled{state_.round(), group, why});
    Note("group_left_out", {{"round", ToInt(state_.round())}, {"group", group + 1}, {"why", why}});
  }
}

// The session in hand has come to its end: with all shares that its sum needs, or while it was being unmasked and for
// good.
void JobMachine::SettleGroup(const std::string& why_not) {
  const std::uint32_t group = state_.group_in_hand();
  Json fields = {{"round", ToInt(state_.round())}, {"group", group + 1}, {"session", session_->number()}};
  if (why_not.empty())
    fields["sites"] = NamesJson(session_->survivors());
  else
    fields["why"] = why_not;
  EndSession();
  Commit(GroupSettled{state_.round(), group, why_not});
  Note(why_not.empty() ? "group_summed" : "group_left_out", std::move(fields));
  TryClose();
}

// Too few groups can be summed in this round.  What was released cannot be had again, so a round that lost a group that
// way is lost as a whole; else sites have failed, and would fail again.
void JobMachine::GiveUpRound(std::size_t possible) {
  for (const auto& [group, settled] : state_.settled())
    if (!settled.why_not.empty())
      return SkipRound(Concat("only ", state_.groups_summed() + possible, " groups can be summed, ",
                              state_.plan().groups_min, " are needed; ", NameOfGroup(group), ": ", settled.why_not));
  FinishJob(state_.CodeOfFailures(),
            Concat("round ", state_.round(), " can sum ", state_.groups_summed() + possible, " groups, and ",
                   state_.plan().groups_min, " are needed; failed: ", Describe(GaveUpSites())));
}

}  // namespace consilium::coordinator
