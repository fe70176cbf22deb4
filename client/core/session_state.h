// What a site client remembers over a kill: finished work that nobody has acknowledged yet, and which files of
// optimizer state it keeps.  With it, finished work is never done twice, and work that is done again starts from the
// same state and so gives the same weights.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "client/core/secure_work.h"
#include "comm/base/json.h"
#include "comm/wire/messages.h"
#include "privacy/secagg/beacon_part.h"

namespace consilium::client {

struct Trained {
  wire::BlobManifest update;  // of the file UpdateFile(task)
  double weight = 1;
  wire::Metrics metrics;
  std::optional<SecureWork> secure{};        // the update stays here; its masked sum with others' is what counts
  std::optional<ReleasedShares> released{};  // of the sum that it is in
  friend bool operator==(const Trained&, const Trained&) = default;
};
struct Evaluated {
  wire::Metrics metrics;
  friend bool operator==(const Evaluated&, const Evaluated&) = default;
};
struct GaveUp {
  StatusCode code = StatusCode::kFailed;
  std::string message;
  friend bool operator==(const GaveUp&, const GaveUp&) = default;
};

// How a task ended here; kept until the coordinator's receipt.
struct Outcome {
  wire::TaskKey task;
  std::variant<Trained, Evaluated, GaveUp> result;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// A job's optimizer states: which attempt of which round left one, and whether its update is known to count.
using KeptStates = std::map<std::pair<Round, Attempt>, bool>;

// What a training task goes on from.
enum class Lineage {
  kRounds,  // an earlier round: a round's work done again, for whatever reason, starts where it started
  kTasks,   // mode async: several tasks of a round follow each other
};

// Value semantics.
class SessionState {
 public:
  const std::vector<Outcome>& outcomes() const { return outcomes_; }
  const Outcome* Find(const wire::TaskKey& task) const;

  // A finished task.  Trained work also leaves an optimizer state; the two newest rounds' are kept, because the newest
  // round may have to be done again.
  void Add(Outcome outcome);
  // The coordinator has taken the update of this task: what comes next may build on the state that it left.
  void Counts(const wire::TaskKey& task);
  // The coordinator has dealt with it, or nobody wants it.  The states stay: an update that counts may still be lost
  // with the coordinator's machine before its round is folded, and is then asked for again.
  void Forget(const wire::TaskKey& task);
  void ForgetJob(const JobId& job);
  // Shares of the sum that this task's update is in are about to be said.  Once for each (job, round), for good: two
  // sums of one round could show a site's update as their difference.
  void Release(const wire::TaskKey& task, ReleasedShares shares);
  bool HasReleased(const JobId& job, Round round) const;
  // This site's part in the newest beacon of the job, as it is about to be said; kept when the job is over, because it
  // counts tries.
  void SetBeaconPart(const JobId& job, secagg::BeaconPart part) { beacon_parts_[job] = std::move(part); }
  std::optional<secagg::BeaconPart> BeaconPartOf(const JobId& job) const;
  // The sum that this task's update goes into may be drawn from it.
  void SetBeacon(const wire::TaskKey& task, secagg::Beacon beacon);

  // The state for this task; "" when there is none.  For training that of the newest earlier round, with kTasks also
  // that of an earlier task of the same round whose update counts.  For everything else that of the newest round up to
  // the task's own (personal parts).
  std::string StateBefore(const wire::TaskKey& task, Lineage lineage) const;
  // Every file that this state speaks of, relative to the work folder.
  std::set<std::string> Files() const;

  Json ToJson() const;
  // Errors: DataLoss for anything that ToJson cannot have written.
  static StatusOr<SessionState> FromJson(const Json& json);
  friend bool operator==(const SessionState&, const SessionState&) = default;

 private:
  std::vector<Outcome> outcomes_;
  std::map<JobId, KeptStates> kept_;
  std::map<JobId, Round> released_;  // the newest round; kept also when the job is over
  std::map<JobId, secagg::BeaconPart> beacon_parts_;
};

// File names in the work folder; the job's folder is `<job>/`.
std::string UpdateFile(const wire::TaskKey& task);  // "demo/update-3.0.safetensors", "demo/statistics-0.0.json"
std::string StateFile(const wire::TaskKey& task);   // "demo/state-3.0.safetensors"
std::string MaskedFile(const wire::TaskKey& task, std::uint32_t session);  // "demo/masked-3.0-1.bin"

}  // namespace consilium::client
