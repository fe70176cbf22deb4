#include "coordinator/service/site_board.h"

#include <algorithm>

namespace consilium::coordinator {
namespace {

constexpr double kProgressStep = 0.05;

}  // namespace

bool SiteBoard::Hear(const SiteName& site, const wire::Heartbeat& beat, Instant now) {
  SiteNote& note = notes_[site];
  const bool news = beat.phase != note.beat.phase || beat.task != note.beat.task ||
                    beat.progress >= note.told_progress + kProgressStep;
  note.beat = beat;
  note.heard = now;
  if (news) note.told_progress = beat.progress;
  return news;
}

void SiteBoard::Take(const Record& record) {
  if (const auto* update = std::get_if<UpdateAccepted>(&record)) {
    notes_[update->site].bytes = update->update.bytes;
    notes_[update->site].metrics = update->metrics;
  }
  if (const auto* evaluation = std::get_if<EvaluationAccepted>(&record))
    notes_[evaluation->site].metrics = evaluation->metrics;
}

Json SiteBoard::SiteToJson(const JobMachine& machine, const SiteName& site, bool awaited, Instant now) const {
  const auto found = notes_.find(site);
  const SiteNote note = found == notes_.end() ? SiteNote() : found->second;
  const bool connected = machine.IsConnected(site);
  const bool busy = connected && note.beat.phase != wire::SitePhase::kIdle;
  Json json = {{"site", site.value()},
               {"connected", connected},
               {"phase", connected ? wire::SitePhaseName(note.beat.phase) : "away"},
               {"progress", busy ? note.beat.progress : 0.0},
               {"awaited", awaited},
               {"awaited_seconds", awaited ? Json(Seconds(now - machine.phase_since())) : Json(nullptr)},
               {"metrics", MetricsJson(busy && !note.beat.metrics.empty() ? note.beat.metrics : note.metrics)},
               {"bytes", note.bytes},
               {"silent_seconds", connected && note.heard ? Json(Seconds(now - *note.heard)) : Json(nullptr)}};
  const auto work = machine.state().cohort().find(site);
  if (work != machine.state().cohort().end() && work->second.last_failure)
    json["failure"] = work->second.last_failure->message;
  return json;
}

Json SiteBoard::ToJson(const JobMachine& machine, Instant now) const {
  const JobState& state = machine.state();
  const std::vector<SiteName> awaited = machine.awaited();
  const bool failed = state.phase() == Phase::kFinished && state.outcome().code != StatusCode::kOk;
  Json sites = Json::array();
  for (const SiteName& site : state.opened().sites)
    sites.push_back(SiteToJson(machine, site, std::find(awaited.begin(), awaited.end(), site) != awaited.end(), now));
  return {{"job", state.opened().job.value()},
          {"phase", failed ? "failed" : PhaseName(state.phase())},
          {"round", ToInt(state.round())},
          {"rounds", ToInt(state.plan().rounds)},
          {"mode", state.plan().mode == RoundMode::kWait ? "wait" : "close"},
          {"phase_seconds", Seconds(now - machine.phase_since())},
          {"awaited", NamesJson(awaited)},
          {"message", state.outcome().message},
          {"parameters", state.past().empty() ? Json(nullptr) : Json(state.parameters().ToHex())},
          {"sites", std::move(sites)}};
}

}  // namespace consilium::coordinator
