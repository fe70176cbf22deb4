// What a job's journal holds: the facts that a restarted coordinator needs, in the order in which they became true.
//
// A record is made durable before any message that reveals it is sent.  Everything else that the coordinator knows
// (who is connected, timers, progress) can be lost.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "comm/wire/messages.h"

namespace consilium::coordinator {

struct JobOpened {
  JobId job;
  std::string job_json;         // resolved (wire/job.h)
  std::vector<SiteName> sites;  // who takes part, in name order, without repeats
  wire::BlobManifest model;     // the model that round 0 starts from; none (0 bytes) when the sites plan it
  friend bool operator==(const JobOpened&, const JobOpened&) = default;
};

struct RoundOpened {
  Round round{};
  std::vector<SiteName> cohort;  // in name order
  Digest model;                  // the blob that the cohort starts from; repeated here so that a journal reads alone
  std::uint32_t target = 0;      // so many accepted updates close the round; 0: one of every site
  friend bool operator==(const RoundOpened&, const RoundOpened&) = default;
};

// Mode async: the site was given this task on the model in force, and has it in hand until it answers.
struct TaskGiven {
  SiteName site;
  wire::TaskKey task;
  friend bool operator==(const TaskGiven&, const TaskGiven&) = default;
};

// The update is in the blob store, has the model's tensors and finite values.
struct UpdateAccepted {
  SiteName site;
  wire::TaskKey task;
  wire::BlobManifest update;
  double weight = 1;
  wire::Metrics metrics;
  double seconds = 0;  // from the round's opening (mode async: the task's giving) to the announcement
  friend bool operator==(const UpdateAccepted&, const UpdateAccepted&) = default;
};

// An accepted update's body was lost with the machine (power, disk); its site is asked again.
struct UpdateWithdrawn {
  SiteName site;
  wire::TaskKey task;
  friend bool operator==(const UpdateWithdrawn&, const UpdateWithdrawn&) = default;
};

// A site could not do a task, or what it sent cannot be used.
struct TaskFailureRecorded {
  SiteName site;
  wire::TaskKey task;
  StatusCode code = StatusCode::kFailed;
  std::string message;
  friend bool operator==(const TaskFailureRecorded&, const TaskFailureRecorded&) = default;
};

enum class CloseReason : std::uint8_t {
  kAllAnswered,
  kEnough,    // as many as were wanted have replied; the others are not to blame
  kDeadline,  // whoever is missing then has missed the round
};
std::string_view CloseReasonName(CloseReason reason);  // "deadline"

// No further update of the round counts; the accepted ones are folded.
struct RoundClosed {
  Round round{};
  std::vector<SiteName> contributors, missing;  // together the cohort; each in name order
  CloseReason reason = CloseReason::kAllAnswered;
  friend bool operator==(const RoundClosed&, const RoundClosed&) = default;
};

struct ModelPublished {
  Round round{};
  wire::BlobManifest model;
  Digest parameters;  // tensor::ParameterVector::digest() of the model: equal digests are equal weights
  std::optional<wire::BlobManifest> strategy_state{};    // what the strategy keeps for the next round
  std::optional<wire::BlobManifest> auxiliary{};         // what the next round's tasks carry beside the model
  std::map<SiteName, wire::BlobManifest> site_models{};  // who starts from a model of its own; others from `model`
  std::string notes = "{}";                              // the strategy's JSON object for metrics.jsonl
  double clip = 0;                                       // of the next sums, where it adapts; 0: as it was
  friend bool operator==(const ModelPublished&, const ModelPublished&) = default;
};

// The sites' statistics gave this plan: from here on this is the job.
struct PlanPinned {
  std::string job_json;      // resolved
  wire::BlobManifest plans;  // nnUNetPlans.json
  Digest digest;             // SHA-256 of that file: the plan's name
  friend bool operator==(const PlanPinned&, const PlanPinned&) = default;
};

// The planned network's first weights have come and are durable.
struct ModelInitialized {
  wire::BlobManifest model;
  friend bool operator==(const ModelInitialized&, const ModelInitialized&) = default;
};

enum class Purpose : std::uint8_t {
  kFinal,      // the final model, on held-out cases
  kRound,      // the newest model, every so many rounds
  kCrossSite,  // every site's model on every site's validation cases, at the end
};
std::string_view PurposeName(Purpose purpose);  // "final"

struct EvaluationOpened {
  std::vector<SiteName> cohort;  // in name order
  Purpose purpose = Purpose::kFinal;
  wire::TaskKind kind = wire::TaskKind::kEvaluate;  // or kValidate
  // What is evaluated: TaskKey::subject to its model.  "" is the global one.
  std::map<std::string, wire::BlobManifest> subjects{};
  friend bool operator==(const EvaluationOpened&, const EvaluationOpened&) = default;
};

struct EvaluationAccepted {
  SiteName site;
  wire::TaskKey task;
  wire::Metrics metrics;
  friend bool operator==(const EvaluationAccepted&, const EvaluationAccepted&) = default;
};

// Whoever has not answered is missing.
struct EvaluationClosed {
  CloseReason reason = CloseReason::kAllAnswered;
  friend bool operator==(const EvaluationClosed&, const EvaluationClosed&) = default;
};

// An operator's word: nothing new is opened until the job is resumed; what is open goes on.
struct JobPaused {
  std::string by;  // the operator's name
  friend bool operator==(const JobPaused&, const JobPaused&) = default;
};
struct JobResumed {
  std::string by;
  friend bool operator==(const JobResumed&, const JobResumed&) = default;
};

// Mode secure.  A secure sum of the open round begins with these sites, who have trained.  Its number is spent from now
// on: keys made for it are never used in another.
struct SecureSessionOpened {
  Round round{};
  std::uint32_t session = 0;     // 1 for the first of the round
  std::vector<SiteName> cohort;  // in name order
  friend bool operator==(const SecureSessionOpened&, const SecureSessionOpened&) = default;
};

// Mode secure.  These sites are asked for the beacon of a sum of theirs (secagg/beacon.h).  Its number is spent from
// now on, and a beacon of the round before it is no longer used.
struct BeaconOpened {
  Round round{};
  std::uint32_t attempt = 0;    // 1 for the first of the round
  std::vector<SiteName> sites;  // in name order
  friend bool operator==(const BeaconOpened&, const BeaconOpened&) = default;
};

// All have committed and revealed.
struct BeaconAgreed {
  Round round{};
  std::uint32_t attempt = 0;
  Digest value;  // secagg::Beacon::value
  Bytes notice;  // secagg::BeaconNotice with everything: what every site of the sum is told
  friend bool operator==(const BeaconAgreed&, const BeaconAgreed&) = default;
};

// A masked vector in the blob store.
struct MaskedVector {
  wire::BlobManifest vector;
  double seconds = 0;  // from the round's opening to the site's readiness
  friend bool operator==(const MaskedVector&, const MaskedVector&) = default;
};

// Enough survivors have confirmed the list of survivors: from now on they may release shares, and this sum, no other,
// is the round's.  Before this record a restart ends the session; after it the session is finished from the journal.
struct UnmaskingBegan {
  Round round{};
  std::uint32_t session = 0;
  Bytes transcript;                          // secagg::ServerSession::Transcript()
  std::map<SiteName, MaskedVector> vectors;  // of the survivors
  friend bool operator==(const UnmaskingBegan&, const UnmaskingBegan&) = default;
};

// A survivor's shares, as it sent them (secagg::ShareRelease).
struct SharesReleased {
  Round round{};
  std::uint32_t session = 0;
  SiteName site;
  Bytes release;
  friend bool operator==(const SharesReleased&, const SharesReleased&) = default;
};

// Mode secure: too many sites lost their shares after others had released theirs, and a round may be released once. Its
// work is lost, the model stays, and the next round opens.
struct RoundSkipped {
  Round round{};
  std::string why;
  friend bool operator==(const RoundSkipped&, const RoundSkipped&) = default;
};

struct JobFinished {
  StatusCode code = StatusCode::kOk;
  std::string message;
  friend bool operator==(const JobFinished&, const JobFinished&) = default;
};

using Record = std::variant<JobOpened, RoundOpened, UpdateAccepted, TaskFailureRecorded, RoundClosed, ModelPublished,
                            EvaluationOpened, EvaluationAccepted, JobFinished, UpdateWithdrawn, EvaluationClosed,
                            TaskGiven, JobPaused, JobResumed, PlanPinned, ModelInitialized, SecureSessionOpened,
                            UnmaskingBegan, SharesReleased, RoundSkipped, BeaconOpened, BeaconAgreed>;

// Raised with every change of what records hold, so that a build knows what it can read.
inline constexpr std::uint8_t kRecordFormat = 5;

// Canonical bytes: u8 kRecordFormat, u8 alternative, then the fields.
Bytes Encode(const Record& record);
// Errors: FailedPrecondition for a record of another format; DataLoss for anything else that Encode cannot have
// written.
StatusOr<Record> DecodeRecord(ByteSpan bytes);
// "RoundClosed", for people.
std::string_view RecordName(const Record& record);

}  // namespace consilium::coordinator
