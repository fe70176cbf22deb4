// What goes into the job machine and what comes out of it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "comm/base/json.h"
#include "comm/base/time.h"
#include "coordinator/core/records.h"
#include "coordinator/core/secure_session.h"

namespace consilium::coordinator {

// --- in

// Once, before any other input: after JobMachine::Open and after Restore alike.
struct Started {
  std::vector<SiteName> lost_updates;  // accepted, but their blobs are gone
  SecureSetting secure{};              // mode secure
};
// Proven by the site's certificate.  A site that connects anew is disconnected first, if it was connected.
struct SiteConnected {
  SiteName site;
  wire::Capability capability{};
};
struct SiteDisconnected {
  SiteName site;
  std::string reason;
};
struct FromSite {
  SiteName site;
  wire::SiteMessage message;
};
struct TimerFired {
  std::uint64_t id = 0;
};
// The answer to CheckUpdate.
struct UpdateChecked {
  SiteName site;
  wire::TaskKey task;
  Status verdict;
  std::optional<Digest> update{};  // which one was checked; nothing: the newest
};
// The answer to FoldRound: the new model, and every other blob named here, is durably in the blob store.  (A fold that
// cannot be done, for want of disk space for example, ends the coordinator instead; restarted, it folds again.)
struct FoldDone {
  Round round{};
  wire::BlobManifest model;
  Digest parameters;
  std::optional<wire::BlobManifest> strategy_state{};  // given back with the next FoldRound
  std::optional<wire::BlobManifest> auxiliary{};       // sent with the next round's tasks
  // Who starts the next round from a model of its own; who is not named keeps what it was given before.
  std::map<SiteName, wire::BlobManifest> site_models{};
  Json notes = Json::object();          // scalars for metrics.jsonl
  std::optional<double> share_below{};  // of a noisy sum whose clip adapts (private_sum::NoisySum)
};
// Or: no model can be made of these updates, and never will be (too few for the rule, not finite), or no plan of these
// statistics.  The job fails.
struct FoldFailed {
  Round round{};
  std::string why;
};
// The answer to BuildLocalModels; the blobs are durably in the store.
struct LocalModelsBuilt {
  std::map<SiteName, wire::BlobManifest> models;
};
// The answer to MakePlan; the plans are durably in the store.
struct PlanMade {
  std::string job_json;
  wire::BlobManifest plans;
  Digest digest;                // PlanPinned's
  std::uint64_t cases = 0;      // of all sites
  std::uint32_t cases_min = 0;  // the fewest that anything was said of
};
// Mode secure: the coordinator's audit log has grown.  No action follows.
struct AuditAdvanced {
  secagg::AuditPoint audit;
};
// The answer to KeepModel.
struct ModelKept {
  wire::BlobManifest model;
};
// An operator's word.
struct AbortJob {
  std::string by, reason;
};
struct PauseJob {
  std::string by;
};
struct ResumeJob {
  std::string by;
};

using Input =
    std::variant<Started, SiteConnected, SiteDisconnected, FromSite, TimerFired, UpdateChecked, FoldDone, FoldFailed,
                 LocalModelsBuilt, AbortJob, PauseJob, ResumeJob, PlanMade, ModelKept, AuditAdvanced>;

// --- out: to be executed in order

// Durable before anything after it is executed.
struct Persist {
  Record record;
};
struct Send {
  SiteName site;  // connected, as far as the machine was told
  wire::CoordinatorMessage message;
};
// TimerFired{id} after so long.  An outdated one (JobMachine::Awaits) is ignored, and need not be kept.
struct SetTimer {
  std::uint64_t id = 0;
  Duration after{};
};
// Is the blob there, has it the model's tensors, are all values finite (or: is it a site's statistics, a model)?  In
// mode secure: is it there?  Answer with UpdateChecked.
struct CheckUpdate {
  SiteName site;
  wire::TaskKey task;
  wire::BlobManifest update;
};
struct Contribution {
  SiteName site;
  wire::BlobManifest update;
  double weight = 1;
  wire::Metrics metrics{};
  std::uint32_t staleness = 0;  // rounds between the model that it was trained from and this one; 0 unless mode async
  Digest base{};                // the blob that the site started from
  friend bool operator==(const Contribution&, const Contribution&) = default;
};
// Mode secure: what takes the masks off a sum of contributions, which are masked vectors.
struct SecureFold {
  std::uint32_t group = 0;             // whose sum it is, where sites are summed in groups
  Bytes transcript;                    // secagg::ServerSession::Transcript()
  std::map<SiteName, Bytes> releases;  // secagg::ShareRelease
  friend bool operator==(const SecureFold&, const SecureFold&) = default;
};
// Answer with FoldDone.
struct FoldRound {
  Round round{};
  std::vector<Contribution> contributions;  // in name order; in mode async a site may be in it more than once
  wire::BlobManifest model{};               // the global model in force
  std::optional<wire::BlobManifest> strategy_state{};  // of the last FoldDone
  std::size_t sites_total = 0;                         // that take part in the job
  // Mode secure: one, of all contributions; or one a group, each of its own sites' contributions, whose means the
  // strategy then takes for updates.
  std::vector<SecureFold> secure{};
  std::size_t groups_min = 0;  // fewer groups' sums make no model; 0: no groups
};
// Each site's own model as a blob of its own: the model that it started from and its last update, put together.  Answer
// with LocalModelsBuilt.
struct BuildLocalModels {
  std::vector<Contribution> contributions;  // in name order; weights do not matter
};
// One plan from what these sites said of their data, and the job with it (federation_planner.h).  Answer with PlanMade,
// or FoldFailed.
struct MakePlan {
  std::map<SiteName, wire::BlobManifest> statistics;
};
// Make this blob, which a site uploaded, survive the machine's power as well.  Answer with ModelKept.
struct KeepModel {
  wire::BlobManifest model;
};
// End the site's session: it was silent for too long.  It may connect again.
struct Disconnect {
  SiteName site;
  std::string reason;
};
// A new global model is in force: blobs that JobMachine::LiveBlobs() does not name are no longer needed.
struct Publish {
  Round round{};
  wire::BlobManifest model;
};
// The job is over; state().outcome() says how.  Given again when a finished job is started again.
struct Finish {};
// A fact for events.jsonl and the log.  Not durable: after a crash some are missing.
struct Report {
  std::string event;  // "round_closed"
  Json fields;        // a map
};

using Action = std::variant<Persist, Send, SetTimer, CheckUpdate, FoldRound, Publish, Finish, Report, BuildLocalModels,
                            Disconnect, MakePlan, KeepModel>;

}  // namespace consilium::coordinator
