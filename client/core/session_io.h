// What goes into the session machine and what comes out of it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "client/core/session_state.h"
#include "comm/base/time.h"
#include "privacy/dp/ledger.h"
#include "privacy/private_sum/noisy_vector.h"
#include "privacy/secagg/vector.h"

namespace consilium::client {

// Which fetch or upload; an answer to an older one is ignored.
enum class TransferId : std::uint64_t {};

// --- in

// Once, before any other input.
struct Started {};
// The connection could not be made, or is gone.  `jitter` in [0, 1) spreads the next try.
struct ConnectionLost {
  Status reason;
  double jitter = 0;
};
// The first one on every connection is Welcome or Refusal.
struct FromCoordinator {
  wire::CoordinatorMessage message;
};
// The answer to Fetch and Upload.
struct TransferDone {
  TransferId transfer{};
  Status result;
  std::uint64_t bytes_moved = 0;  // of whole chunks, by this transfer: less than the blob when it went on with one
};
struct WorkerProgressed {
  wire::TaskKey task;
  double progress = 0;
  wire::Metrics metrics;
};
// The answers to RunTask: one of these three.
struct WorkerFinished {
  wire::TaskKey task;
  double weight = 1;
  wire::Metrics metrics;
  wire::BlobManifest update;   // of the file UpdateFile(task); of tasks with an upload only
  std::uint64_t elements = 0;  // of a training task's update: all values of its tensors
};
// The trainer lives and says why it cannot; kCancelled after CancelTask, kStorage for a full disk.
struct WorkerRefused {
  wire::TaskKey task;
  StatusCode code = StatusCode::kFailed;
  std::string message;
};
// The trainer ended under the task, could not be started, or was stopped by StopWorker.
struct WorkerDied {
  wire::TaskKey task;
  std::string how;  // "killed by signal 9 (Killed); its last words: ..."
};
// The answer to AskSite.
struct SiteAnswer {
  enum class Kind {
    kYes,
    kNo,      // for good: the coordinator is told `message`
    kNotYet,  // a person here has to decide; asked again after a while
  };
  wire::TaskKey task;
  Kind kind = Kind::kNo;
  std::string message;
};
// The answer to MaskVector.
struct VectorMasked {
  wire::TaskKey task;
  std::uint32_t session = 0;
  Status status;
  wire::BlobManifest vector{};  // of the masked file
};
struct TimerFired {
  std::uint64_t id = 0;
};

using Input = std::variant<Started, ConnectionLost, FromCoordinator, TransferDone, WorkerProgressed, WorkerFinished,
                           WorkerRefused, WorkerDied, SiteAnswer, VectorMasked, TimerFired>;

// --- out: to be executed in order

// Connect and say Hello; answer with FromCoordinator{Welcome} or ConnectionLost.
struct Dial {};
// Close the connection; no answer.
struct HangUp {};
struct Send {
  wire::SiteMessage message;  // only while connected
};
struct SetTimer {
  std::uint64_t id = 0;
  Duration after{};
};
// Durable before anything after it is executed.
struct Persist {
  SessionState state;
};
// May this task run here, by the site's own policy?  Answer with SiteAnswer; nothing of the task is done before.
struct AskSite {
  wire::TaskKey task;
  std::string job_json;
};
// Make the blob (the task's model, or what its method needs beside it) present in the local blob store.
struct Fetch {
  TransferId transfer{};
  wire::TaskKey task;
  wire::BlobManifest model;  // or the strategy's auxiliary state
};
struct Upload {
  TransferId transfer{};
  wire::TaskKey task;
  wire::BlobManifest update;
  std::string file;  // in the work folder
};
struct RunTask {
  wire::TaskKey task;
  std::string job_json;
  Digest model;                       // present in the blob store
  std::string state_in;               // in the work folder; "" for none
  std::optional<Digest> auxiliary{};  // of the blob with what the strategy's method needs; present as well
  // Of a job with privacy.sites: where the account has nothing left for another round, answer with WorkerRefused.
  std::optional<SitePrivacyWork> privacy{};
};
// Ask the trainer to stop; one of RunTask's answers follows, whatever it takes.
struct CancelTask {
  wire::TaskKey task;
};
// The trainer is stuck: end it; WorkerDied follows.
struct StopWorker {
  wire::TaskKey task;
  std::string why;
};
// A masked vector under privacy.sites: what it costs, and what its noise is made of beside the site's secret.
struct NoisyRelease {
  std::string job, data_set;
  std::string release;  // JOB/...: everything that the vector is a function of, so that it is paid for once
  dp::Budget budget;
  private_sum::NoisePlan plan;
  double clip = 1;
  unsigned threads = 1;
};
// What a masked vector holds: the update as it is (privacy/secagg/vector.h), or with noise, which is paid for, durably,
// before the masked file exists (privacy/private_sum/noisy_vector.h).  Never null.
using VectorContent = std::variant<std::shared_ptr<const secagg::VectorInput>, std::shared_ptr<const NoisyRelease>>;
// Mask the update of a finished task into a file, for a secure sum; answer with VectorMasked.
struct MaskVector {
  wire::TaskKey task;
  std::uint32_t session = 0;
  std::string update_file, masked_file;  // in the work folder
  std::shared_ptr<const secagg::MaskingSite> masks;
  VectorContent content;
};
// Files in the work folder, and blobs, that LiveFiles() and LiveBlobs() do not name can go.
struct Tidy {};
// The client is to end.
struct Finish {
  Status status;
};
// A fact for the log.
struct Report {
  std::string event;
  Json fields;
};

using Action = std::variant<Dial, HangUp, Send, SetTimer, Persist, AskSite, Fetch, Upload, RunTask, CancelTask,
                            StopWorker, Tidy, Finish, Report, MaskVector>;

}  // namespace consilium::client
