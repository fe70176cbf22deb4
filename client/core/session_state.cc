#include "client/core/session_state.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "comm/base/json_number.h"
#include "comm/wire/blob_json.h"
#include "comm/wire/job_site_privacy.h"
#include "comm/wire/preparation.h"

namespace consilium::client {
namespace {

constexpr std::size_t kStatesKept = 2;
constexpr int kVersion = 3;
constexpr int kVersionMin = 2;  // knew no secure sums
constexpr std::int64_t kSilenceSecondsMax = 10LL * 365 * 24 * 3600;
constexpr wire::TaskKind kKinds[] = {wire::TaskKind::kTrain, wire::TaskKind::kEvaluate, wire::TaskKind::kValidate,
                                     wire::TaskKind::kStatistics};

std::string FileOf(const char* what, const JobId& job, Round round, Attempt attempt) {
  return Concat(job, "/", what, "-", round, ".", attempt, ".safetensors");
}

Json TaskToJson(const wire::TaskKey& task) {
  return {{"job", task.job.value()},
          {"round", ToInt(task.round)},
          {"attempt", ToInt(task.attempt)},
          {"kind", wire::TaskKindName(task.kind)},
          {"subject", task.subject}};
}

Json MetricsToJson(const wire::Metrics& metrics) {
  Json json = Json::object();
  for (const auto& [name, value] : metrics) json[name] = std::isnan(value) ? Json(nullptr) : Json(value);
  return json;
}

Json PrivacyToJson(const SitePrivacyWork& privacy) {
  Json json = wire::SitePrivacyToJson(privacy.spec);
  json["rounds"] = privacy.rounds;
  json["data_set"] = privacy.data_set;
  return json;
}

Json BeaconToJson(const secagg::Beacon& beacon) {
  Json sites = Json::array();
  for (const SiteName& site : beacon.sites) sites.push_back(site.value());
  return {{"sites", std::move(sites)}, {"value", beacon.value.ToHex()}};
}

Json PartToJson(const secagg::BeaconPart& part) {
  Json json = {{"round", ToInt(part.round)},
               {"attempt", part.attempt},
               {"revealed", part.revealed},
               {"context", part.context.ToHex()},
               {"nonce", ToHex(part.nonce)}};
  if (part.commitments) json["commitments"] = part.commitments->ToHex();
  return json;
}

Json SecureToJson(const SecureWork& work) {
  Json json = {{"model", work.model.ToHex()},
               {"configuration", work.configuration.ToHex()},
               {"elements", work.elements},
               {"clip", work.clip},
               {"min_cohort", work.min_cohort},
               {"share", work.share},
               {"silence_seconds", std::chrono::duration_cast<std::chrono::seconds>(work.silence_max).count()}};
  if (work.privacy) json["privacy"] = PrivacyToJson(*work.privacy);
  if (work.beacon) json["beacon"] = BeaconToJson(*work.beacon);
  return json;
}

Json ResultToJson(const Trained& trained) {
  Json json = {{"update", wire::BlobManifestToJson(trained.update)},
               {"weight", trained.weight},
               {"metrics", MetricsToJson(trained.metrics)}};
  if (trained.secure) json["secure"] = SecureToJson(*trained.secure);
  if (trained.released)
    json["released"] = {{"session", trained.released->session}, {"shares", ToHex(trained.released->body)}};
  return json;
}
Json ResultToJson(const Evaluated& evaluated) { return {{"metrics", MetricsToJson(evaluated.metrics)}}; }
Json ResultToJson(const GaveUp& gave_up) {
  return {{"code", static_cast<int>(gave_up.code)}, {"message", gave_up.message}};
}

// Reading throws Json::exception for a missing key or a wrong type; FromJson is the guard.
StatusOr<wire::TaskKey> TaskFromJson(const Json& json) {
  wire::TaskKey task{JobId(json.at("job").get<std::string>()), Round{WholeNumber<std::uint32_t>(json.at("round"))},
                     Attempt{WholeNumber<std::uint32_t>(json.at("attempt"))}, wire::TaskKind::kTrain,
                     json.at("subject").get<std::string>()};
  const auto name = json.at("kind").get<std::string>();
  const wire::TaskKind* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                            [&](wire::TaskKind one) { return wire::TaskKindName(one) == name; });
  if (kind == std::end(kKinds)) return DataLoss("a task of kind '", name, "'");
  task.kind = *kind;
  return task;
}

wire::Metrics MetricsFromJson(const Json& json) {
  wire::Metrics metrics;
  for (const auto& [name, value] : json.items())
    metrics[name] = value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
  return metrics;
}

SitePrivacyWork PrivacyFromJson(const Json& json) {
  return {.spec = wire::SitePrivacyFromJson(json),
          .rounds = WholeNumber<std::int64_t>(json.at("rounds")),
          .data_set = json.at("data_set").get<std::string>()};
}

StatusOr<secagg::Beacon> BeaconFromJson(const Json& json) {
  secagg::Beacon beacon;
  for (const Json& site : json.at("sites")) beacon.sites.emplace_back(site.get<std::string>());
  ASSIGN_OR_RETURN(beacon.value, Digest::FromHex(json.at("value").get<std::string>()));
  return beacon;
}

StatusOr<secagg::BeaconPart> PartFromJson(const Json& json) {
  secagg::BeaconPart part{.round = Round{WholeNumber<std::uint32_t>(json.at("round"))},
                          .attempt = WholeNumber<std::uint32_t>(json.at("attempt")),
                          .revealed = WholeNumber<std::uint32_t>(json.at("revealed"))};
  ASSIGN_OR_RETURN(part.context, Digest::FromHex(json.at("context").get<std::string>()));
  ASSIGN_OR_RETURN(const Bytes nonce, FromHex(json.at("nonce").get<std::string>()));
  if (nonce.size() != part.nonce.size()) return DataLoss("a nonce of ", nonce.size(), " bytes");
  std::ranges::copy(nonce, part.nonce.begin());
  if (json.contains("commitments")) {
    ASSIGN_OR_RETURN(part.commitments, Digest::FromHex(json["commitments"].get<std::string>()));
  }
  return part;
}

StatusOr<SecureWork> SecureFromJson(const Json& json) {
  SecureWork work;
  ASSIGN_OR_RETURN(work.model, Digest::FromHex(json.at("model").get<std::string>()));
  ASSIGN_OR_RETURN(work.configuration, Digest::FromHex(json.at("configuration").get<std::string>()));
  work.elements = WholeNumber<std::uint64_t>(json.at("elements"));
  work.clip = json.at("clip").get<double>();
  work.min_cohort = WholeNumber<std::uint32_t>(json.at("min_cohort"));
  work.share = json.at("share").get<double>();
  if (!(work.share > 0 && work.share <= 1)) return DataLoss("a share of ", work.share);
  if (json.contains("privacy")) work.privacy = PrivacyFromJson(json["privacy"]);
  if (json.contains("beacon")) {
    ASSIGN_OR_RETURN(work.beacon, BeaconFromJson(json["beacon"]));
  }
  if (json.contains("silence_seconds")) {  // a state of an older client has none
    const auto seconds = WholeNumber<std::int64_t>(json["silence_seconds"]);
    if (seconds <= 0 || seconds > kSilenceSecondsMax) return DataLoss("a silence of ", seconds, " s");
    work.silence_max = std::chrono::seconds(seconds);
  }
  return work;
}

StatusOr<Outcome> OutcomeFromJson(const Json& json) {
  ASSIGN_OR_RETURN(wire::TaskKey task, TaskFromJson(json.at("task")));
  Outcome outcome{std::move(task), Evaluated{}};
  const Json& result = json.at("result");
  if (result.contains("update")) {
    ASSIGN_OR_RETURN(wire::BlobManifest update, wire::BlobManifestFromJson(result["update"]));
    Trained trained{std::move(update), result.at("weight").get<double>(), MetricsFromJson(result.at("metrics"))};
    if (result.contains("secure")) {
      ASSIGN_OR_RETURN(trained.secure, SecureFromJson(result["secure"]));
    }
    if (result.contains("released")) {
      const Json& released = result["released"];
      ASSIGN_OR_RETURN(Bytes body, FromHex(released.at("shares").get<std::string>()));
      trained.released = ReleasedShares{WholeNumber<std::uint32_t>(released.at("session")), std::move(body)};
    }
    outcome.result = std::move(trained);
  } else if (result.contains("code")) {
    const int code = WholeNumber<int>(result["code"]);
    if (code <= 0 || code > static_cast<int>(StatusCode::kUnimplemented)) return DataLoss("status code ", code);
    outcome.result = GaveUp{static_cast<StatusCode>(code), result.at("message").get<std::string>()};
  } else {
    outcome.result = Evaluated{MetricsFromJson(result.at("metrics"))};
  }
  return outcome;
}

}  // namespace

std::string UpdateFile(const wire::TaskKey& task) {
  if (task.kind == wire::TaskKind::kStatistics && task.subject == wire::kInitialModelSubject)
    return FileOf("initial", task.job, task.round, task.attempt);
  if (task.kind == wire::TaskKind::kStatistics)
    return Concat(task.job, "/statistics-", task.round, ".", task.attempt, ".json");
  return FileOf("update", task.job, task.round, task.attempt);
}
std::string StateFile(const wire::TaskKey& task) { return FileOf("state", task.job, task.round, task.attempt); }

std::string MaskedFile(const wire::TaskKey& task, std::uint32_t session) {
  return Concat(task.job, "/masked-", task.round, ".", task.attempt, "-", session, ".bin");
}

const Outcome* SessionState::Find(const wire::TaskKey& task) const {
  const auto found =
      std::find_if(outcomes_.begin(), outcomes_.end(), [&](const Outcome& outcome) { return outcome.task == task; });
  return found == outcomes_.end() ? nullptr : &*found;
}

void SessionState::Add(Outcome outcome) {
  const wire::TaskKey task = outcome.task;
  Forget(task);
  if (std::holds_alternative<Trained>(outcome.result) && task.kind == wire::TaskKind::kTrain) {
    KeptStates& states = kept_[task.job];
    // An attempt takes the place of an earlier one that did not count.
    std::erase_if(states, [&](const auto& state) { return state.first.first == task.round && !state.second; });
    states[{task.round, task.attempt}] = false;
    while (states.size() > kStatesKept) states.erase(states.begin());
  }
  outcomes_.push_back(std::move(outcome));
}

void SessionState::Forget(const wire::TaskKey& task) {
  std::erase_if(outcomes_, [&](const Outcome& outcome) { return outcome.task == task; });
}

void SessionState::ForgetJob(const JobId& job) {
  std::erase_if(outcomes_, [&](const Outcome& outcome) { return outcome.task.job == job; });
  kept_.erase(job);
}

void SessionState::Release(const wire::TaskKey& task, ReleasedShares shares) {
  Round& newest = released_.try_emplace(task.job, task.round).first->second;
  newest = std::max(newest, task.round);
  for (Outcome& outcome : outcomes_)
    if (auto* trained = std::get_if<Trained>(&outcome.result); trained != nullptr && outcome.task == task)
      trained->released = std::move(shares);
}

bool SessionState::HasReleased(const JobId& job, Round round) const {
  const auto newest = released_.find(job);
  return newest != released_.end() && round <= newest->second;
}

std::optional<secagg::BeaconPart> SessionState::BeaconPartOf(const JobId& job) const {
  const auto found = beacon_parts_.find(job);
  return found == beacon_parts_.end() ? std::nullopt : std::optional(found->second);
}

void SessionState::SetBeacon(const wire::TaskKey& task, secagg::Beacon beacon) {
  for (Outcome& outcome : outcomes_)
    if (auto* trained = std::get_if<Trained>(&outcome.result);
        trained != nullptr && outcome.task == task && trained->secure)
      trained->secure->beacon = std::move(beacon);
}

void SessionState::Counts(const wire::TaskKey& task) {
  const auto states = kept_.find(task.job);
  if (states == kept_.end() || task.kind != wire::TaskKind::kTrain) return;
  const auto state = states->second.find({task.round, task.attempt});
  if (state != states->second.end()) state->second = true;
}

std::string SessionState::StateBefore(const wire::TaskKey& task, Lineage lineage) const {
  const auto states = kept_.find(task.job);
  if (states == kept_.end()) return "";
  std::string newest;
  for (const auto& [left_by, counts] : states->second) {
    const auto& [round, attempt] = left_by;
    const bool usable = task.kind != wire::TaskKind::kTrain
                            ? round <= task.round
                            : round < task.round || (lineage == Lineage::kTasks && round == task.round &&
                                                     attempt < task.attempt && counts);
    if (usable) newest = FileOf("state", task.job, round, attempt);
  }
  return newest;
}

std::set<std::string> SessionState::Files() const {
  std::set<std::string> files;
  for (const Outcome& outcome : outcomes_)
    if (std::holds_alternative<Trained>(outcome.result)) files.insert(UpdateFile(outcome.task));
  for (const auto& [job, states] : kept_)
    for (const auto& [left_by, counts] : states) files.insert(FileOf("state", job, left_by.first, left_by.second));
  return files;
}

Json SessionState::ToJson() const {
  Json outcomes = Json::array(), jobs = Json::object();
  for (const Outcome& outcome : outcomes_)
    outcomes.push_back(
        {{"task", TaskToJson(outcome.task)},
         {"result", std::visit([](const auto& result) { return ResultToJson(result); }, outcome.result)}});
  for (const auto& [job, states] : kept_) {
    Json list = Json::array();
    for (const auto& [left_by, counts] : states) list.push_back({ToInt(left_by.first), ToInt(left_by.second), counts});
    jobs[job.value()] = {{"states", std::move(list)}};
  }
  Json released = Json::object();
  for (const auto& [job, round] : released_) released[job.value()] = ToInt(round);
  Json json = {{"version", kVersion},
               {"outcomes", std::move(outcomes)},
               {"jobs", std::move(jobs)},
               {"released", std::move(released)}};
  for (const auto& [job, part] : beacon_parts_) json["beacons"][job.value()] = PartToJson(part);
  return json;
}

StatusOr<SessionState> SessionState::FromJson(const Json& json) {
  SessionState state;
  try {
    if (const int version = WholeNumber<int>(json.at("version")); version < kVersionMin || version > kVersion)
      return DataLoss("a session state of version ", json["version"].dump());
    for (const Json& entry : json.at("outcomes")) {
      ASSIGN_OR_RETURN(Outcome outcome, OutcomeFromJson(entry));
      if (!IsValidName(outcome.task.job.value())) return DataLoss("'", outcome.task.job, "' is not a job's name");
      state.outcomes_.push_back(std::move(outcome));
    }
    for (const auto& [job, entry] : json.at("jobs").items()) {
      if (!IsValidName(job)) return DataLoss("'", job, "' is not a job's name");
      KeptStates& states = state.kept_[JobId(job)];
      for (const Json& pair : entry.at("states"))
        states[{Round{WholeNumber<std::uint32_t>(pair.at(0))}, Attempt{WholeNumber<std::uint32_t>(pair.at(1))}}] =
            pair.at(2).get<bool>();
    }
    if (json.contains("released"))
      for (const auto& [job, round] : json["released"].items()) {
        if (!IsValidName(job)) return DataLoss("'", job, "' is not a job's name");
        state.released_[JobId(job)] = Round{WholeNumber<std::uint32_t>(round)};
      }
    if (json.contains("beacons"))
      for (const auto& [job, part] : json["beacons"].items()) {
        if (!IsValidName(job)) return DataLoss("'", job, "' is not a job's name");
        ASSIGN_OR_RETURN(state.beacon_parts_[JobId(job)], PartFromJson(part));
      }
  } catch (const Json::exception& error) {
    return DataLoss("the session state is not as expected: ", error.what());
  }
  return state;
}

}  // namespace consilium::client
