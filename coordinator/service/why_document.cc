// Why a job is where it is, in a sentence and in JSON.
#include <algorithm>
#include <cmath>

#include "coordinator/service/job_documents.h"

namespace consilium::coordinator {
namespace {

std::string InWords(double seconds) {
  const long long whole = std::llround(std::max(0.0, seconds));
  return whole < 60 ? Concat(whole, "s") : FormatDuration(std::chrono::seconds(whole));
}

std::string Listed(const std::vector<std::string>& items) {
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i)
    text += (i == 0 ? "" : i + 1 == items.size() ? " and " : ", ") + items[i];
  return text;
}

// One awaited site: what it is awaited for, and what is known about it.
Json AwaitedSite(const JobTable& table, const JobMachine& machine, const Json& row, const SiteName& site,
                 const EventDigest& events, WallTime wall_now, const Reader& reader) {
  const bool gathering = machine.state().phase() == Phase::kGathering;
  Json json = {{"site", site.value()}, {"for", gathering ? "connection" : "answer"}};
  if (!table.IsConnected(site)) {
    json["for"] = "connection";
    const auto departed = events.departed.find(site.value());
    json["detail"] = departed == events.departed.end()
                         ? std::string("not connected since the coordinator started")
                         : Concat("not connected for ",
                                  InWords(std::chrono::duration<double>(wall_now - departed->second.when).count()),
                                  " (", departed->second.reason, ")");
    return json;
  }
  const wire::TaskKey* in_hand = table.desk().InHand(site);
  const std::string phase = row.value("phase", "idle");
  if (in_hand != nullptr && in_hand->job != machine.state().opened().job)
    json["detail"] = reader.is_operator() ? Concat("busy with job '", in_hand->job, "'; this one is next in its line")
                                          : std::string("busy with another job");
  else if (phase == "idle")
    json["detail"] = "connected; has not begun yet";
  else
    json["detail"] = Concat(phase, " ", std::llround(100 * row.value("progress", 0.0)), " %");
  if (row.contains("trouble"))
    json["detail"] = Concat(json["detail"].get<std::string>(), ": ", row["trouble"].get<std::string>());
  if (row.contains("silent_seconds") && row["silent_seconds"].is_number() && row["silent_seconds"] > 10.0)
    json["detail"] =
        Concat(json["detail"].get<std::string>(), ", but silent for ", InWords(row["silent_seconds"].get<double>()));
  if (reader.is_operator() && row.contains("failure"))
    json["detail"] =
        Concat(json["detail"].get<std::string>(), "; it failed before: ", row["failure"].get<std::string>());
  return json;
}

Json Causes(const EventDigest& events, const Reader& reader) {
  Json causes = Json::array();
  for (const auto& [site, trouble] : events.trouble) {
    if (!reader.is_operator() && site != reader.site.value()) continue;
    Json cause = {{"site", site}, {"message", trouble.message}, {"time", FormatUtc(trouble.when)}};
    if (trouble.round >= 0) cause["round"] = trouble.round;
    causes.push_back(std::move(cause));
  }
  return causes;
}

Json ActiveWhy(const JobTable& table, const JobEntry& entry, const Reader& reader, Instant now, WallTime wall_now) {
  const JobMachine& machine = entry.runner->machine();
  const JobState& state = machine.state();
  const EventDigest events = DigestEvents(table.FolderOf(entry.submission.job).events());
  const Json board = entry.runner->board().ToJson(machine, now);
  const double since = Seconds(now - machine.phase_since());
  Json json = {{"since_seconds", since}, {"awaited", Json::array()}};
  std::vector<std::string> absent, busy;
  for (const SiteName& site : machine.awaited()) {
    Json row = Json::object();
    for (const Json& candidate : board["sites"])
      if (candidate["site"] == site.value()) row = candidate;
    Json awaited = AwaitedSite(table, machine, row, site, events, wall_now, reader);
    const std::string text = Concat(site, " (", awaited["detail"].get<std::string>(), ")");
    (awaited["for"] == "connection" ? absent : busy).push_back(text);
    json["awaited"].push_back(std::move(awaited));
  }
  const std::string where = state.all_rounds_done()
                                ? "the evaluation after the last round"
                                : Concat("round ", ToInt(state.round()) + 1, " of ", ToInt(state.plan().rounds));
  std::string answer;
  if (state.phase() == Phase::kFolding)
    answer = Concat("It waits for nobody: ", where, " is being averaged, for ", InWords(since), " so far.");
  else if (!absent.empty())
    answer = Concat("It waits for ", Listed(absent), " in ", where, ", for ", InWords(since), " so far.",
                    busy.empty() ? "" : " At work: " + Listed(busy) + ".");
  else if (!busy.empty())
    answer =
        Concat("It is not held up: ", where, " has been worked on for ", InWords(since), " by ", Listed(busy), ".");
  else
    answer = Concat("It is not held up: ", where, " is about to go on.");
  // Of all that is waited for, what ends first.
  std::optional<Wait> next;
  for (const Wait& wait : machine.waiting(now))
    if (wait.until && (!next || *wait.until < *next->until)) next = wait;
  if (next) {
    json["until_seconds"] = std::max(0.0, Seconds(*next->until - now));
    json["then"] = next->then;
    answer += Concat(" In ", InWords(json["until_seconds"].get<double>()), " ", next->then, ".");
  } else if (state.plan().mode == RoundMode::kWait && !absent.empty()) {
    json["then"] = "in mode wait every site is needed, however long it takes";
    answer += " In mode wait every site is needed, however long it takes.";
  }
  if (state.paused_by()) {
    json["paused_by"] = *state.paused_by();
    answer = Concat("It is paused by ", *state.paused_by(), ". ", answer);
  }
  if (!absent.empty()) json["mend"] = "start consilium client at the sites that are not connected";
  const std::optional<double> pace = SecondsPerRound(events);
  if (pace && !state.all_rounds_done()) {
    json["eta_seconds"] = *pace * (ToInt(state.plan().rounds) - ToInt(state.round()));
    answer +=
        Concat(" At the pace of the last rounds it is done in about ", InWords(json["eta_seconds"].get<double>()), ".");
  }
  json["answer"] = answer;
  if (Json causes = Causes(events, reader); !causes.empty()) json["causes"] = std::move(causes);
  return json;
}

Json QueuedWhy(const JobTable& table, const JobEntry& entry, const Reader& reader) {
  const std::vector<JobId> queue = table.Queue();
  const auto place = std::find(queue.begin(), queue.end(), entry.submission.job) - queue.begin() + 1;
  std::vector<std::string> active;
  for (const auto& [job, other] : table.jobs())
    if (other.stand == Stand::kActive && MaySee(reader, other)) active.push_back(job.value());
  return {{"answer", Concat("It waits for its turn as number ", place, " of the queue: ", table.active_max(),
                            " jobs run at once at most, now ", active.empty() ? "others" : Listed(active), ".")},
          {"mend",
           "wait for one to end or abort it, submit with a higher --priority, or start the coordinator with a "
           "larger --jobs-max"}};
}

}  // namespace

Json WhyDocument(const JobTable& table, const JobEntry& entry, const Reader& reader, Instant now, WallTime wall_now) {
  Json json = {{"job", entry.submission.job.value()}, {"state", StandName(entry)}};
  switch (entry.stand) {
    case Stand::kQueued:
      json.update(QueuedWhy(table, entry, reader));
      break;
    case Stand::kActive:
      json.update(ActiveWhy(table, entry, reader, now, wall_now));
      break;
    case Stand::kStopped:
      json["answer"] = Concat("It cannot go on: ", entry.stopped.message());
      json["mend"] = entry.retry ? "mend this on the coordinator's machine; the job is tried again by itself"
                                 : "mend this on the coordinator's machine, then start the coordinator again";
      break;
    case Stand::kFinished: {
      const std::string& message = entry.outcome.message;
      json["answer"] = entry.outcome.code == StatusCode::kOk ? "It is done."
                       : reader.is_operator()
                           ? Concat("It ", StandName(entry) == "aborted" ? "was " : "", StandName(entry), ": ", message)
                           : Concat("It ", StandName(entry), ".");
      if (entry.outcome.code != StatusCode::kOk && entry.outcome.code != StatusCode::kCancelled)
        if (Json causes = Causes(DigestEvents(table.FolderOf(entry.submission.job).events()), reader); !causes.empty())
          json["causes"] = std::move(causes);
      break;
    }
  }
  return json;
}

}  // namespace consilium::coordinator
