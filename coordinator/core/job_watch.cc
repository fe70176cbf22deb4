// Who has fallen silent, and what is waited for.
#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {
namespace {

const Duration kHeartbeatInterval = std::chrono::milliseconds(wire::Welcome{}.heartbeat_interval_ms);

}  // namespace

// A connection that breaks without a word (a pulled cable, a frozen machine) looks alive for a long time; a site whose
// heartbeats have stopped is not.
void JobMachine::OnWatch() {
  if (state_.phase() == Phase::kFinished) return;
  const Duration silence = state_.plan().deadlines().silence;
  const std::set<SiteName> connected = connected_;
  for (const SiteName& site : connected) {
    const Duration silent = now_ - heard_.at(site);
    if (silent < silence) continue;
    const std::string reason = Concat("nothing was heard of it for ", FormatDuration(silent));
    actions_.push_back(Disconnect{site, reason});
    On(SiteDisconnected{site, reason});
  }
  watch_timer_ = Arm(silence / 3);
}

std::string JobMachine::WhyUnfit(const SiteName& site) const {
  if (state_.secure() && state_.IsMember(site) && !secure_.roster.contains(site))
    return "the roster has no signing key for it; provision it one, and give the roster to all parties";
  const auto found = capabilities_.find(site);
  if (found == capabilities_.end()) return "";
  std::set<std::string> features = state_.plan().features;
  // As many as may be ready at once.
  if (wire::NeedsBeacon(state_.plan().secure, state_.opened().sites.size())) features.insert(wire::kBeaconFeature);
  return wire::WhyUnfit(found->second, features);
}

std::optional<Instant> JobMachine::LastHeard(const SiteName& site) const {
  const auto found = heard_.find(site);
  return found == heard_.end() ? std::nullopt : std::optional(found->second);
}

bool JobMachine::IsSilent(const SiteName& site, Instant now) const {
  return connected_.contains(site) &&
         now - heard_.at(site) > wire::DeadlinePolicy::kHeartbeatsMissedMax * kHeartbeatInterval;
}

std::string JobMachine::StateOf(const SiteName& site, Instant now) const {
  const auto heard = heard_.find(site);
  if (!connected_.contains(site))
    return heard == heard_.end() ? "not connected"
                                 : "not connected, last heard " + FormatDuration(now - heard->second) + " ago";
  if (const std::string why = WhyUnfit(site); !why.empty()) return "connected, but " + why;
  const auto beat = beats_.find(site);
  std::string text(beat == beats_.end() ? "connected" : wire::SitePhaseName(beat->second.phase));
  if (beat != beats_.end() && beat->second.phase != wire::SitePhase::kIdle)
    text += Concat(" ", static_cast<int>(100 * beat->second.progress), " %");
  if (beat != beats_.end() && !beat->second.trouble.empty()) text += ", " + beat->second.trouble;
  if (IsSilent(site, now)) text += ", silent for " + FormatDuration(now - heard->second);
  return text;
}

std::vector<Wait> JobMachine::waiting(Instant now) const {
  std::vector<Wait> waits;
  const bool gives_up = state_.plan().mode != RoundMode::kWait;
  if (state_.paused_by())
    waits.push_back({"the job to be resumed", *state_.paused_by(), "paused it", phase_since_, std::nullopt,
                     "resume the job", Wait::Whom::kOperator});
  switch (state_.phase()) {
    case Phase::kGathering: {
      if (building_) {
        waits.push_back({"the sites' models", "the coordinator", "building them", phase_since_, std::nullopt, "",
                         Wait::Whom::kCoordinator});
        break;
      }
      const bool limited = !state_.past().empty() && state_.next() == NextStep::kRound;
      for (const SiteName& site : GatherAwaited()) {
        Wait wait{"its connection",
                  site.value(),
                  StateOf(site, now),
                  phase_since_,
                  grace_until_,
                  Concat("what is next opens without it, if ", state_.plan().sites_min, " sites are there")};
        if (!grace_until_) {
          wait.until = limited ? std::optional(deadline_at_) : std::nullopt;
          wait.then = limited ? "the job fails" : "start the site's client";
        }
        waits.push_back(std::move(wait));
      }
      for (const SiteName& site : ConnectedMembers())
        if (const std::string why = WhyUnfit(site); !why.empty())
          waits.push_back({"its software", site.value(), why, phase_since_, std::nullopt, "install a newer version"});
      break;
    }
    case Phase::kCollecting:
    case Phase::kEvaluating: {
      const bool train = state_.phase() == Phase::kCollecting;
      for (const SiteName& site : awaited()) {
        if (const std::string what = train ? SecureWaitOf(site) : ""; !what.empty()) {
          waits.push_back({what, site.value(), StateOf(site, now), phase_since_,
                           session_ || beacon_ ? stage_until_ : deadline_at_,
                           session_  ? "the sum goes on without it if enough sites are left, else begins again"
                           : beacon_ ? "the others begin another beacon without it"
                                     : "the sum begins, if enough sites are ready"});
          continue;
        }
        const auto given = given_at_.find(site);
        const bool checking = pending_.contains(site);
        Wait wait{Concat(checking ? "the check of its answer to " : "its answer to ", state_.KeyFor(site)),
                  checking ? "the coordinator" : site.value(),
                  checking ? "checking" : StateOf(site, now),
                  state_.async() && given != given_at_.end() ? given->second : phase_since_,
                  gives_up ? std::optional(straggler_until_.value_or(deadline_at_)) : std::nullopt,
                  train ? "the round closes without it" : "the evaluation closes without it",
                  checking ? Wait::Whom::kCoordinator : Wait::Whom::kSite};
        if (train && state_.secure()) wait.then = "the round closes without it, if enough sites are ready";
        if (!gives_up) wait.then = "the round waits for it";
        waits.push_back(std::move(wait));
      }
      break;
    }
    case Phase::kFolding:
      waits.push_back({state_.preparing() ? Title() : Concat("the model of round ", state_.round()), "the coordinator",
                       state_.preparing() ? "planning" : "aggregating", phase_since_, std::nullopt, "",
                       Wait::Whom::kCoordinator});
      break;
    case Phase::kNew:
    case Phase::kFinished:
      break;
  }
  return waits;
}

}  // namespace consilium::coordinator
