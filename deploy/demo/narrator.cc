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
  return missing.empty() ? "" : "  closed without " + missing + ", which may join the next round";
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
  return "";
}

}  // namespace consilium::demo
