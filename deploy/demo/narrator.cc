#include "deploy/demo/narrator.h"

#include <cstdio>

#include "deploy/demo/event_fields.h"

namespace consilium::demo {
namespace {

std::string Names(const Json& event, const char* key) {
  std::string text;
  if (event.contains(key) && event[key].is_array())
    for (const Json& name : event[key]) text += (text.empty() ? "" : ", ") + name.get<std::string>();
  return text;
}

template <typename... Values>
std::string Format(const char* format, Values... values) {
  char text[512];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

}  // namespace

std::string FormatBytes(double bytes) {
  if (bytes < 1e3) return Format("%.0f B", bytes);
  if (bytes < 1e6) return Format("%.0f kB", bytes / 1e3);
  return bytes < 1e9 ? Format("%.1f MB", bytes / 1e6) : Format("%.1f GB", bytes / 1e9);
}

std::string Narrator::TellUpdate(const Json& event) {
  const Json metrics = event.contains("metrics") && event["metrics"].is_object() ? event["metrics"] : Json::object();
  return Format("  %-12s loss %6.3f   Dice %5.3f   %4.0f s   %s", Text(event, "site").c_str(), Number(metrics, "loss"),
                Number(metrics, "dice"), Number(metrics, "seconds"), FormatBytes(Number(event, "bytes")).c_str());
}

std::string Narrator::TellRound(const Json& event) {
  const std::string missing = Names(event, "missing");
  if (missing.empty()) return "";
  if (secret_ && event["missing"].size() == 1 && shared_.contains(missing))
    return "  the sum goes on without " + missing +
           ": the others held shares of its key, which take its masks out again";
  if (secret_) return "  the sum goes on without " + missing;
  return "  closed without " + missing + ", which may join the next round";
}

// What can be told of a round in which the coordinator sees noise.
std::string Narrator::TellSecure(const std::string& kind, const Json& event) {
  if (kind == "site_ready")
    return Format("  %-12s is ready after %.0f s; its update stays there until the sum begins",
                  Text(event, "site").c_str(), Number(event, "seconds"));
  if (kind == "secure_answer" && Text(event, "stage") == "shares") shared_.insert(Text(event, "site"));
  if (kind == "secure_session") {
    shared_.clear();
    return "  masked sum of " + Names(event, "sites") +
           (Number(event, "session") > 1 ? ", begun anew with fresh keys and the same updates" : "");
  }
  if (kind == "secure_session_aborted") return "  this sum cannot end: " + Text(event, "why");
  if (kind == "secure_answer_refused")
    return "  " + Text(event, "site") + "'s part of the sum was refused: " + Text(event, "reason");
  if (kind == "round_skipped")
    return "  the round is lost, and the next begins from the same model: " + Text(event, "why");
  if (kind == "model_published" && event.contains("metrics") && event["metrics"].is_object())
    return Format("  unmasked: their sum alone; means over the sites: loss %6.3f   Dice %5.3f",
                  Number(event["metrics"], "loss"), Number(event["metrics"], "dice"));
  return "";
}

std::string Narrator::Tell(const Json& event) {
  const std::string kind = Text(event, "event");
  if (kind == "site_connected") return "  " + Text(event, "site") + " connected, its certificate is valid";
  if (kind == "site_disconnected") return "  " + Text(event, "site") + " disconnected: " + Text(event, "reason");
  if (kind == "recovered")
    return Format("  the coordinator is back: round %.0f, %s", Number(event, "round") + 1,
                  Text(event, "phase").c_str());
  if (kind == "round_opened")
    return Format("round %.0f of %lld", Number(event, "round") + 1, static_cast<long long>(rounds_));
  if (kind == "update_accepted") return TellUpdate(event);
  if (kind == "round_closed") return TellRound(event);
  if (kind == "awaited") return "  waiting for " + Names(event, "sites");
  if (kind == "site_failed") return "  " + Text(event, "site") + " failed: " + Text(event, "message");
  if (kind == "drop") return "  dropped a message of " + Text(event, "site") + ": " + Text(event, "reason");
  if (kind == "evaluation_opened") return "final model: every hospital predicts its held-out cases";
  if (kind == "evaluation") {
    const Json metrics = event.contains("metrics") && event["metrics"].is_object() ? event["metrics"] : Json::object();
    return Format("  %-12s held-out Dice %5.3f (%.0f cases)", Text(event, "site").c_str(), Number(metrics, "dice"),
                  Number(metrics, "cases"));
  }
  if (kind == "job_finished") {
    finished_ = true;
    succeeded_ = Text(event, "code") == "ok";
    message_ = Text(event, "message");
  }
  return secret_ ? TellSecure(kind, event) : "";
}

}  // namespace consilium::demo
