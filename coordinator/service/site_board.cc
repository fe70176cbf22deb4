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
  if (note.heard) note.silence_max = std::max(note.silence_max, now - *note.heard);
  note.heard = now;
  if (news) note.told_progress = beat.progress;
  return news;
}

std::string SiteBoard::NewTrouble(const SiteName& site, const wire::Heartbeat& beat) const {
  const auto found = notes_.find(site);
  return found != notes_.end() && found->second.beat.trouble == beat.trouble ? "" : beat.trouble;
}

void SiteBoard::Take(const Record& record) {
  if (const auto* update = std::get_if<UpdateAccepted>(&record)) {
    notes_[update->site].bytes = update->update.bytes;
    notes_[update->site].metrics = update->metrics;
  }
  if (const auto* evaluation = std::get_if<EvaluationAccepted>(&record))
    notes_[evaluation->site].metrics = evaluation->metrics;
}

namespace {

Json HealthJson(const SiteHealth& health) {
  return {{"contributed", health.contributed},
          {"missed", health.missed},
          {"failed", health.failed},
          {"outpaced", health.outpaced},
          {"failures_in_row", health.failures_in_row},
          {"rests_until_round", health.failures_in_row > 1 ? Json(ToInt(health.rests_until)) : Json(nullptr)},
          {"seconds_mean", health.contributed > 0 ? Json(health.seconds_mean) : Json(nullptr)},
          {"bytes", health.bytes}};
}

Json DropsJson(const JobMachine& machine, const SiteName& site) {
  Json json = Json::object();
  const auto found = machine.drops().find(site);
  if (found == machine.drops().end()) return json;
  for (const auto& [reason, count] : found->second) json[std::string(wire::DropReasonName(reason))] = count;
  return json;
}

Json TrafficJson(const transport::Traffic& traffic) {
  return {{"bytes_sent", traffic.bytes_sent},
          {"bytes_received", traffic.bytes_received},
          {"chunks_sent", traffic.chunks_sent},
          {"chunks_received", traffic.chunks_received},
          {"send_bytes_per_second", traffic.send_bytes_per_second},
          {"receive_bytes_per_second", traffic.receive_bytes_per_second}};
}

Json WaitJson(const Wait& wait, Instant now) {
  return {{"what", wait.what},
          {"who", wait.who},
          {"state", wait.state},
          {"seconds", Seconds(now - wait.since)},
          {"seconds_left", wait.until ? Json(Seconds(*wait.until - now)) : Json(nullptr)},
          {"then", wait.then}};
}

}  // namespace

Json SiteBoard::SiteToJson(const JobMachine& machine, const SiteName& site, bool awaited, Instant now) const {
  const auto found = notes_.find(site);
  const SiteNote note = found == notes_.end() ? SiteNote() : found->second;
  const bool connected = machine.IsConnected(site);
  // A site does one task at a time, and it may be another job's.
  const bool elsewhere = connected && !note.beat.task.job.empty() && note.beat.task.job != machine.state().opened().job;
  const bool busy = connected && !elsewhere && note.beat.phase != wire::SitePhase::kIdle;
  const std::optional<Instant> heard = machine.LastHeard(site);
  Json json = {{"site", site.value()},
               {"connected", connected},
               {"phase", !connected  ? "away"
                         : elsewhere ? "elsewhere"
                                     : wire::SitePhaseName(note.beat.phase)},
               {"progress", busy ? note.beat.progress : 0.0},
               {"awaited", awaited},
               {"awaited_seconds", awaited ? Json(Seconds(now - machine.phase_since())) : Json(nullptr)},
               {"metrics", MetricsJson(busy && !note.beat.metrics.empty() ? note.beat.metrics : note.metrics)},
               {"bytes", note.bytes},
               {"silent_seconds", heard ? Json(Seconds(now - *heard)) : Json(nullptr)},
               {"silent_seconds_max", Seconds(note.silence_max)},
               {"silent", machine.IsSilent(site, now)},
               {"waiting", note.beat.waiting.size()},
               {"download_bytes_per_second", note.beat.download_bytes_per_second},
               {"upload_bytes_per_second", note.beat.upload_bytes_per_second},
               {"health", HealthJson(machine.state().HealthOf(site))},
               {"drops", DropsJson(machine, site)}};
  const auto work = machine.state().cohort().find(site);
  if (work != machine.state().cohort().end() && work->second.last_failure)
    json["failure"] = work->second.last_failure->message;
  else if (!machine.state().HealthOf(site).last_failure.empty())
    json["last_failure"] = machine.state().HealthOf(site).last_failure;
  if (traffic_of_) json["traffic"] = TrafficJson(traffic_of_(site));
  if (busy && !note.beat.trouble.empty()) json["trouble"] = note.beat.trouble;
  if (const std::string why = machine.WhyUnfit(site); !why.empty()) json["unfit"] = why;
  return json;
}

Json SiteBoard::ToJson(const JobMachine& machine, Instant now) const {
  const JobState& state = machine.state();
  const std::vector<SiteName> awaited = machine.awaited();
  const bool failed = state.phase() == Phase::kFinished && state.outcome().code != StatusCode::kOk;
  Json sites = Json::array(), waits = Json::array();
  for (const SiteName& site : state.opened().sites)
    sites.push_back(SiteToJson(machine, site, std::find(awaited.begin(), awaited.end(), site) != awaited.end(), now));
  for (const Wait& wait : machine.waiting(now)) waits.push_back(WaitJson(wait, now));
  Json json = {{"job", state.opened().job.value()},
               {"phase", failed ? "failed" : PhaseName(state.phase())},
               {"round", ToInt(state.round())},
               {"rounds", ToInt(state.plan().rounds)},
               {"mode", RoundModeName(state.plan().mode)},
               {"phase_seconds", Seconds(now - machine.phase_since())},
               {"awaited", NamesJson(awaited)},
               {"message", state.outcome().message},
               {"parameters", state.past().empty() ? Json(nullptr) : Json(state.parameters().ToHex())},
               {"paused_by", state.paused_by() ? Json(*state.paused_by()) : Json(nullptr)},
               {"replies", state.HeldUpdates().size()},
               {"target", state.target()},
               {"waiting", std::move(waits)},
               {"sites", std::move(sites)}};
  if (!state.site_privacy().empty()) json["privacy"] = Json::parse(state.site_privacy());
  if (state.best())
    json["best"] = {
        {"round", ToInt(state.best()->round)}, {"metric", state.plan().metric}, {"value", state.best()->value}};
  return json;
}

}  // namespace consilium::coordinator
