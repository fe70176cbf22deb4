// What site and coordinator say to each other on the control stream, and its canonical bytes.
//
// A site's name is never in a message: it comes from the certificate.  Everything here is small; models travel as
// blobs. Every decoder is total: any bytes give a message or a DataLoss status, with bounded memory.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "comm/base/ids.h"
#include "comm/wire/blob.h"
#include "comm/wire/capability.h"
#include "comm/wire/protocol.h"

namespace consilium::wire {

// A task with the manifests of two blobs of kBlobBytesMax (512 KiB each), its job, and room.
inline constexpr std::size_t kMessageBytesMax = 3 << 19;

enum class TaskKind : std::uint8_t {
  kTrain,       // train on the given model and upload the result
  kEvaluate,    // predict held-out cases with the given model and report their Dice; nothing is uploaded
  kValidate,    // the same on the validation cases of the job's fold
  kStatistics,  // compute additive statistics of the data set and upload them as a file
};
std::string_view TaskKindName(TaskKind kind);  // "train"
// Does the task end with a blob that is uploaded?
constexpr bool HasUpload(TaskKind kind) { return kind == TaskKind::kTrain || kind == TaskKind::kStatistics; }

// Which piece of work: what makes a repeated message idempotent and a stale one recognisable.
struct TaskKey {
  JobId job;
  Round round{};
  Attempt attempt{};
  TaskKind kind = TaskKind::kTrain;
  // Whose model is validated: "" the global one, else that site's (cross-site evaluation).
  std::string subject{};
  friend auto operator<=>(const TaskKey&, const TaskKey&) = default;
};
std::ostream& operator<<(std::ostream& out, const TaskKey& task);

// Named numbers: "loss", "dice", "dice.1", "seconds".  At most 256, finite or NaN.
using Metrics = std::map<std::string, double>;

// --- site to coordinator
// -----------------------------------------------------------------------------------------------------

// First on every stream.
struct Hello {
  std::uint32_t protocol_major = kProtocolMajor;
  std::uint32_t protocol_minor = kProtocolMinor;
  std::string build;     // "0.1.0"
  std::string instance;  // random per process start: a restarted client is recognised
  Capability capability{};
  friend bool operator==(const Hello&, const Hello&) = default;
};

enum class SitePhase : std::uint8_t { kIdle, kFetching, kTraining, kEvaluating, kUploading };
std::string_view SitePhaseName(SitePhase phase);

// Every heartbeat_interval, also while the site trains.
struct Heartbeat {
  SitePhase phase = SitePhase::kIdle;
  TaskKey task;                        // of the work in hand; empty job when idle
  double progress = 0;                 // 0 to 1
  Metrics metrics;                     // of the work in hand, e.g. the running loss
  std::vector<TaskKey> waiting{};      // given, and not begun yet: a site does one task at a time; at most 64
  double download_bytes_per_second{};  // of the last transfer; 0: none yet
  double upload_bytes_per_second{};
  std::string trouble{};  // what went wrong with the work in hand and is being tried again; "" when nothing
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

// The answer to kTrain and kStatistics.  The blob is uploaded before this is sent; sent again after a reconnect until a
// Receipt comes.
struct UpdateReady {
  TaskKey task;
  BlobManifest update;
  double weight = 1;  // examples trained on; > 0 and finite
  Metrics metrics;
  friend bool operator==(const UpdateReady&, const UpdateReady&) = default;
};

// The answer to kEvaluate and kValidate.
struct EvaluationReport {
  TaskKey task;
  Metrics metrics;  // "dice", "dice.<class>", "cases"
  friend bool operator==(const EvaluationReport&, const EvaluationReport&) = default;
};

// The site could not do the task and says why; the task is not tried again in this attempt.
struct TaskFailed {
  TaskKey task;
  StatusCode code = StatusCode::kFailed;
  std::string message;
  friend bool operator==(const TaskFailed&, const TaskFailed&) = default;
};

// Secure aggregation (privacy/secagg): sites exchange keys and shares through the coordinator, then send masked
// vectors. A stage is a question of the coordinator (SecureRequest) and the site's answer (SecureAnswer); what their
// bodies hold is privacy/secagg's matter.  docs/privacy.md tells the whole exchange.
enum class SecureStage : std::uint8_t {
  kReady,    // answer only: trained, and no session is in hand; body empty
  kKeys,     // the cohort's names -> an advert
  kShares,   // the neighbours' adverts -> sealed shares
  kVector,   // the shares sealed for this site -> a masked head, and the manifest of the masked vector, uploaded before
  kConfirm,  // the survivors and the audit log's head -> a confirmation
  kRelease,  // the confirmations -> shares of secrets
  kAbort,    // question only: the session is over and nothing comes of it; body a text.  The work is kept.
  // Before the session, when its sum is drawn at random from a beacon (secagg/beacon.h); since 1.3.  `session` is the
  // number of the round's beacon.
  kCommit,  // the sum's names -> a commitment to a nonce
  kReveal,  // and all their commitments -> the nonce
  kBeacon,  // question only, before kKeys: and all their nonces, so the beacon.  Not answered
};
std::string_view SecureStageName(SecureStage stage);  // "shares"
constexpr bool IsBeaconStage(SecureStage stage) { return stage >= SecureStage::kCommit; }
inline constexpr std::size_t kSecureBodyBytesMax = 1 << 20;

// Sent again after a reconnect until the task's Receipt comes.
struct SecureAnswer {
  TaskKey task;               // the training task whose update is in the vector
  std::uint32_t session = 0;  // of the round's secure sums; 0 with kReady
  SecureStage stage = SecureStage::kReady;
  Bytes body;
  std::optional<BlobManifest> vector{};  // kVector
  friend bool operator==(const SecureAnswer&, const SecureAnswer&) = default;
};

using SiteMessage = std::variant<Hello, Heartbeat, UpdateReady, EvaluationReport, TaskFailed, SecureAnswer>;

// --- coordinator to site
// -----------------------------------------------------------------------------------------------------

// The answer to Hello.
struct Welcome {
  std::uint32_t protocol_minor = kProtocolMinor;
  std::string coordinator;  // its certificate's name, for logs
  std::uint32_t heartbeat_interval_ms = 3000;
  friend bool operator==(const Welcome&, const Welcome&) = default;
};

// Work to do.  Sent again after a reconnect while it is still wanted; the same key is the same work.
struct Task {
  TaskKey task;
  std::string job_json;                     // the resolved job (wire/job.h)
  BlobManifest model;                       // the model to start from
  std::uint64_t deadline_ms = 0;            // time left until the round closes; 0: none
  std::optional<BlobManifest> auxiliary{};  // what the strategy's local method needs beside the model (safetensors)
  friend bool operator==(const Task&, const Task&) = default;
};

enum class DropReason : std::uint8_t {
  kNone,         // accepted
  kDuplicate,    // this site's update for this task is already there (harmless)
  kLate,         // the round is closed
  kUnknownTask,  // no such job, round or attempt
  kNotInCohort,  // the site is not part of this round
  kBadUpdate,    // not the model's tensors, not finite, wrong size, blob missing
  kStale,        // mode async: trained on a model that is too many rounds old
};
std::string_view DropReasonName(DropReason reason);

// The update (or evaluation, or failure) was dealt with, durably: the site need not send it again.
struct Receipt {
  TaskKey task;
  DropReason reason = DropReason::kNone;
  std::string detail;  // for people; "" when accepted
  friend bool operator==(const Receipt&, const Receipt&) = default;
};

// Stop work on this task: the round was closed, aborted or superseded.
struct StandDown {
  TaskKey task;
  std::string reason;
  friend bool operator==(const StandDown&, const StandDown&) = default;
};

// The job is over.
struct JobEnded {
  JobId job;
  StatusCode code = StatusCode::kOk;
  std::string message;
  friend bool operator==(const JobEnded&, const JobEnded&) = default;
};

// The coordinator will not talk to this site (version, roster, duplicate session); the stream closes after it.
struct Refusal {
  StatusCode code = StatusCode::kPermissionDenied;
  std::string message;
  friend bool operator==(const Refusal&, const Refusal&) = default;
};

struct SecureRequest {
  TaskKey task;
  std::uint32_t session = 0;  // 1 for the first of a round
  SecureStage stage = SecureStage::kKeys;
  Bytes body;
  friend bool operator==(const SecureRequest&, const SecureRequest&) = default;
};

using CoordinatorMessage = std::variant<Welcome, Task, Receipt, StandDown, JobEnded, Refusal, SecureRequest>;

// Canonical bytes: u8 alternative, then the fields in order.  Decode checks everything and leaves nothing over.  Encode
// cuts texts at 64 KiB and metrics at 256 (a job's JSON is bounded when it is submitted).  `minor` is the version that
// both sides speak (CommonMinor); Hello, Welcome and Refusal do not depend on it.
Bytes Encode(const SiteMessage& message, std::uint32_t minor = kProtocolMinor);
Bytes Encode(const CoordinatorMessage& message, std::uint32_t minor = kProtocolMinor);
StatusOr<SiteMessage> DecodeSiteMessage(ByteSpan bytes, std::uint32_t minor = kProtocolMinor);
StatusOr<CoordinatorMessage> DecodeCoordinatorMessage(ByteSpan bytes, std::uint32_t minor = kProtocolMinor);
// "UpdateReady", for logs.
std::string_view MessageName(const SiteMessage& message);
std::string_view MessageName(const CoordinatorMessage& message);

}  // namespace consilium::wire
