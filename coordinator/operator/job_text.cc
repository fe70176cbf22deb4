#include "coordinator/operator/job_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "comm/base/time.h"
#include "coordinator/operator/text_table.h"

namespace consilium::coordinator {
namespace {

// The documents come from a peer: absent keys and other types are shown as nothing.
std::string Text(const Json& json, const char* key) {
  return json.is_object() && json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : "";
}
double Number(const Json& json, const char* key, double otherwise = 0) {
  return json.is_object() && json.contains(key) && json[key].is_number() ? json[key].get<double>() : otherwise;
}
bool Has(const Json& json, const char* key) { return json.is_object() && json.contains(key) && !json[key].is_null(); }
const Json& Items(const Json& json, const char* key) {
  static const Json kNone = Json::array();
  return json.is_object() && json.contains(key) && json[key].is_array() ? json[key] : kNone;
}

std::string InWords(double seconds) {
  const long long whole = std::llround(std::min(1e9, std::max(0.0, seconds)));
  return whole < 60 ? Concat(whole, "s") : FormatDuration(std::chrono::seconds(whole));
}

std::string Short(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string Joined(const Json& names) {
  std::string text;
  for (const Json& name : names)
    text += (text.empty() ? "" : ", ") + (name.is_string() ? name.get<std::string>() : name.dump());
  return text;
}

std::string RoundText(const Json& job) {
  const auto round = std::llround(Number(job, "round")), rounds = std::llround(Number(job, "rounds"));
  return rounds == 0 ? std::string() : Concat(std::min(round, rounds), "/", rounds);
}

// What is worth knowing beside the state.
std::string Remark(const Json& job) {
  if (Has(job, "queue_position")) return Concat("number ", Number(job, "queue_position"), " in the queue");
  if (!Text(job, "message").empty()) return Text(job, "message");
  if (!Text(job, "paused_by").empty()) return "paused by " + Text(job, "paused_by");
  std::string text;
  if (!Items(job, "absent").empty()) text = "awaits " + Joined(Items(job, "absent"));
  if (Has(job, "eta_seconds"))
    text += Concat(text.empty() ? "" : "; ", "about ", InWords(Number(job, "eta_seconds")), " left");
  return text;
}

std::string MetricsText(const Json& site) {
  std::string text;
  if (!Has(site, "metrics") || !site["metrics"].is_object()) return text;
  for (const char* key : {"loss", "dice", "epsilon"})
    if (Has(site["metrics"], key))
      text += Concat(text.empty() ? "" : ", ", key, " ", Short(Number(site["metrics"], key)));
  return text;
}

// "1.2 MB/s".
std::string Speed(double bytes_per_second) {
  if (!(bytes_per_second > 0)) return "-";
  return bytes_per_second < 1e6 ? Concat(std::llround(std::max(1.0, bytes_per_second / 1e3)), " kB/s")
                                : Short(std::round(bytes_per_second / 1e5) / 10) + " MB/s";
}

// As the coordinator counts it; until that has seen a transfer, as the site has.
std::string SpeedOf(const Json& site, const char* counted, const char* told) {
  const double speed = site.is_object() && site.contains("traffic") ? Number(site["traffic"], counted) : 0;
  return Speed(speed > 0 ? speed : Number(site, told));
}

std::string SiteRemark(const Json& site) {
  std::string text;
  if (Has(site, "awaited_seconds")) text = Concat("awaited for ", InWords(Number(site, "awaited_seconds")));
  if (Number(site, "silent_seconds") > 10)
    text += Concat(text.empty() ? "" : "; ", "silent for ", InWords(Number(site, "silent_seconds")));
  if (!Text(site, "trouble").empty()) text += Concat(text.empty() ? "" : "; ", Text(site, "trouble"));
  if (!Text(site, "failure").empty()) text += Concat(text.empty() ? "" : "; ", "failed: ", Text(site, "failure"));
  return text;
}

}  // namespace

std::string ListText(const Json& list, std::size_t columns) {
  TextTable table({"JOB", "STATE", "ROUND", "SITES", "BY", "SUBMITTED", ""});
  for (const Json& job : Items(list, "jobs"))
    table.Add({Text(job, "job"), Text(job, "state"), RoundText(job),
               Concat(Number(job, "connected"), "/", Number(job, "sites")),
               Text(job, "by").empty() ? "-" : Text(job, "by"), Text(job, "submitted").substr(0, 16), Remark(job)});
  if (table.empty()) return "There are no jobs yet; submit one with consilium submit JOB.yaml.\n";
  return table.ToString(columns);
}

std::string StatusText(const Json& status, std::size_t columns) {
  std::string text = Concat(Text(status, "job"), ": ", Text(status, "state"));
  if (!RoundText(status).empty()) text += ", " + RoundText(status) + " rounds done";
  const std::string phase = Text(status, "phase");
  if (Text(status, "state") == "running")
    text += Concat(", ", phase, Has(status, "phase_seconds") ? " for " + InWords(Number(status, "phase_seconds")) : "");
  if (Has(status, "eta_seconds")) text += Concat(", about ", InWords(Number(status, "eta_seconds")), " left");
  text += "\n";
  if (Has(status, "queue_position"))
    text += Concat("It is number ", Number(status, "queue_position"), " in the queue.\n");
  if (!Text(status, "paused_by").empty())
    text += Concat("It is paused by ", Text(status, "paused_by"), ": what is open goes on, nothing else is opened.\n");
  if (!Text(status, "message").empty()) text += Text(status, "message") + "\n";
  if (!Text(status, "by").empty())
    text += Concat("submitted by ", Text(status, "by"), " at ", Text(status, "submitted"), ", priority ",
                   Number(status, "priority"), "\n");
  if (Has(status, "privacy")) {
    const Json& privacy = status["privacy"];
    text += Concat("privacy for each ", Text(privacy, "unit"), ": epsilon ", Short(Number(privacy, "epsilon")), " of ",
                   Short(Number(privacy, "epsilon_budget")), " at delta ", Short(Number(privacy, "delta")), ", noise ",
                   Short(Number(privacy, "noise_multiplier")), " x clip ", Short(Number(privacy, "clip")),
                   Has(privacy, "share_below")
                       ? Concat(" (", std::llround(100 * std::clamp(Number(privacy, "share_below"), 0.0, 1.0)),
                                " % of the sites below it)")
                       : std::string(),
                   "\n");
  }
  TextTable table({"SITE", "DOES", "", "DOWN", "UP", "METRICS", ""});
  for (const Json& site : Items(status, "sites")) {
    const double progress = Number(site, "progress");
    table.Add({Text(site, "site"), Text(site, "phase"), progress > 0 ? Concat(std::llround(100 * progress), " %") : "",
               SpeedOf(site, "send_bytes_per_second", "download_bytes_per_second"),
               SpeedOf(site, "receive_bytes_per_second", "upload_bytes_per_second"), MetricsText(site),
               SiteRemark(site)});
  }
  if (!table.empty()) text += "\n" + table.ToString(columns);
  return text;
}

std::string WhyText(const Json& why) {
  std::string text = Concat(Text(why, "job"), " (", Text(why, "state"), "): ", Text(why, "answer"), "\n");
  for (const Json& cause : Items(why, "causes"))
    text += Concat("  ", Text(cause, "site"), Has(cause, "round") ? Concat(", round ", Number(cause, "round") + 1) : "",
                   " at ", Text(cause, "time"), ": ", Text(cause, "message"), "\n");
  if (!Text(why, "mend").empty()) text += "  what to do: " + Text(why, "mend") + "\n";
  return text;
}

std::string EventText(const Json& event) {
  std::string text = Text(event, "time").substr(0, 19) + "  " + Text(event, "event");
  if (!event.is_object()) return text;
  for (const auto& [key, value] : event.items()) {
    if (key == "time" || key == "event" || value.is_null() || (value.is_structured() && value.empty())) continue;
    std::string shown = value.is_string()         ? value.get<std::string>()
                        : value.is_array()        ? Joined(value)
                        : value.is_number_float() ? Short(value.get<double>())
                                                  : value.dump();
    for (char& c : shown)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    text += "  " + key + "=" + shown;
  }
  return text;
}

}  // namespace consilium::coordinator
