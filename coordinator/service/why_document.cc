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

std::string NotConnected(const EventDigest& events, const SiteName& site, WallTime wall_now) {
  const auto departed = events.departed.find(site.value());
  if (departed == events.departed.end()) return "not connected since the coordinator started";
  return Concat("not connected for ", InWords(std::chrono::duration<double>(wall_now - departed->second.when).count()),
                " (", departed->second.reason, ")");
}

// What a site is seen to do, without its words: they are for operators and the site itself.
std::string SeenToDo(const Json& row) {
  const std::string phase = row.value("phase", "idle");
  std::string text = phase == "idle" ? "connected; has not begun yet"
                                     : Concat(phase, " ", std::llround(100 * row.value("progress", 0.0)), " %");
  if (row.contains("silent_seconds") && row["silent_seconds"].is_number() && row["silent_seconds"] > 10.0)
    text += ", but silent for " + InWords(row["silent_seconds"].get<double>());
  return text;
}

// One awaited site: what it is awaited for, and what is known about it.
Json AwaitedSite(const JobTable& table, const JobMachine& machine, const Wait& wait, const Json& board,
                 const EventDigest& events, WallTime wall_now, const Reader& reader) {
  const SiteName site(wait.who);
  const bool theirs = !reader.is_operator() && reader.site != site;
  Json row = Json::object();
  for (const Json& candidate : board["sites"])
    if (candidate["site"] == site.value()) row = candidate;
  const std::string unfit = machine.WhyUnfit(site);
  Json json = {{"site", site.value()}, {"what", wait.what}};
  if (!table.IsConnected(site)) {
    json["for"] = "connection";
    json["detail"] = NotConnected(events, site, wall_now);
    return json;
  }
  json["for"] = unfit.empty() ? machine.state().phase() == Phase::kGathering ? "connection" : "answer" : "software";
  const wire::TaskKey* in_hand = table.desk().InHand(site);
  std::string detail = SeenToDo(row);
  if (!unfit.empty())
    detail = unfit;
  else if (in_hand != nullptr && in_hand->job != machine.state().opened().job)
    detail = reader.is_operator() ? Concat("busy with job '", in_hand->job, "'; this one is next in its line")
                                  : std::string("busy with another job");
  else if (!theirs && row.contains("trouble"))
    detail += ": " + row["trouble"].get<std::string>();
  if (!theirs && row.contains("failure")) detail += "; it failed before: " + row["failure"].get<std::string>();
  json["detail"] = detail;
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
  const std::vector<Wait> waits = machine.waiting(now);
  std::vector<std::string> absent, busy, unfit, ours, mends;
  for (const Wait& wait : waits) {
    if (wait.whom == Wait::Whom::kCoordinator) ours.push_back(wait.state + " " + wait.what);
    if (wait.whom != Wait::Whom::kSite) continue;
    Json awaited = AwaitedSite(table, machine, wait, board, events, wall_now, reader);
    const std::string text = Concat(wait.who, " (", awaited["detail"].get<std::string>(), ")");
    (awaited["for"] == "connection" ? absent : awaited["for"] == "software" ? unfit : busy).push_back(text);
    json["awaited"].push_back(std::move(awaited));
  }
  if (reader.is_operator()) json["waiting"] = board["waiting"];  // in it are other sites' words
  const std::string where = state.all_rounds_done()
                                ? "the evaluation after the last round"
                                : Concat("round ", ToInt(state.round()) + 1, " of ", ToInt(state.plan().rounds));
  const std::string so_far = Concat(", for ", InWords(since), " so far.");
  std::string answer;
  if (state.phase() == Phase::kFolding)
    answer = Concat("It waits for nobody: ", where, " is being averaged", so_far);
  else if (!absent.empty())
    answer = Concat("It waits for ", Listed(absent), " in ", where, so_far);
  else if (!unfit.empty())
    answer = Concat("It waits for newer software at ", Listed(unfit), " in ", where, so_far);
  else if (!busy.empty())
    answer =
        Concat("It is not held up: ", where, " has been worked on for ", InWords(since), " by ", Listed(busy), ".");
  else if (!ours.empty())
    answer = Concat("It waits for nobody in ", where, ": the coordinator is ", Listed(ours), so_far);
  else
    answer = Concat("It is not held up: ", where, " is about to go on.");
  if (!absent.empty() && !unfit.empty()) answer += " Its software is too old: " + Listed(unfit) + ".";
  if ((!absent.empty() || !unfit.empty()) && !busy.empty()) answer += " At work: " + Listed(busy) + ".";
  // Of all that is waited for, what ends first.
  std::optional<Wait> next;
  for (const Wait& wait : waits)
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
    // What is open goes on; nothing else is opened.
    const bool open = state.phase() != Phase::kGathering;
    answer = Concat("It is paused by ", *state.paused_by(), open ? ". What is open goes on. " + answer : ".");
    mends.push_back("go on with consilium resume " + entry.submission.job.value());
  }
  if (!absent.empty()) mends.push_back("start consilium client at the sites that are not connected");
  if (!unfit.empty()) mends.push_back("install a newer version of consilium where it is too old");
  if (!mends.empty()) json["mend"] = Listed(mends);
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
