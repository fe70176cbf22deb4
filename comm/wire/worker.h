// What a site client and its `consilium-trainer worker` child say to each other over a local socket: length-prefixed
// canonical bytes (u32 size, then the message).  Models travel as files in the private work directory.
//
// The child greets, then serves one task at a time.  When the socket closes, the child ends itself.
#pragma once

#include <variant>

#include "comm/wire/messages.h"

namespace consilium::wire {

inline constexpr std::uint32_t kWorkerProtocol = 2;

// --- trainer to client
// -------------------------------------------------------------------------------------------------------
struct WorkerHello {
  std::uint32_t protocol = kWorkerProtocol;
  std::string build;  // "0.1.0, LibTorch 1.13.1"
  friend bool operator==(const WorkerHello&, const WorkerHello&) = default;
};
struct WorkerProgress {
  TaskKey task;
  double progress = 0;  // 0 to 1
  Metrics metrics;      // "loss", "step", "patches_per_second"
  friend bool operator==(const WorkerProgress&, const WorkerProgress&) = default;
};
// kTrain: the files named in the task are durable.  kEvaluate: the metrics are the report.
struct WorkerDone {
  TaskKey task;
  double weight = 1;  // examples
  Metrics metrics;
  friend bool operator==(const WorkerDone&, const WorkerDone&) = default;
};
struct WorkerFailed {
  TaskKey task;
  StatusCode code = StatusCode::kFailed;
  std::string message;
  friend bool operator==(const WorkerFailed&, const WorkerFailed&) = default;
};
using WorkerMessage = std::variant<WorkerHello, WorkerProgress, WorkerDone, WorkerFailed>;

// --- client to trainer
// -------------------------------------------------------------------------------------------------------
struct WorkerTask {
  TaskKey task;
  std::string job_json;        // the resolved job
  std::string data_dir;        // holds the raw data set's folder (and, for kEvaluate, `heldout/`)
  std::string model_path;      // in: safetensors, the global model
  std::string update_path;     // kTrain, out: what is uploaded (update_format.h)
  std::string state_in;        // in: what the site kept after its last round (optimizer, personal parts); "" before it
  std::string state_out;       // kTrain, out: what to keep for the next round
  std::string output_dir;      // kEvaluate and kValidate, out: predictions and summary.json
  std::string auxiliary_path;  // kTrain, in: safetensors, what the strategy's local method needs; "" when nothing
  std::string site;            // whose task; decides nothing but the random rounding of compressed updates
  friend bool operator==(const WorkerTask&, const WorkerTask&) = default;
};
// Stop the task in hand; the trainer answers WorkerFailed{kCancelled}.
struct WorkerCancel {
  friend bool operator==(const WorkerCancel&, const WorkerCancel&) = default;
};
using WorkerRequest = std::variant<WorkerTask, WorkerCancel>;

Bytes Encode(const WorkerMessage& message);
Bytes Encode(const WorkerRequest& request);
StatusOr<WorkerMessage> DecodeWorkerMessage(ByteSpan bytes);
StatusOr<WorkerRequest> DecodeWorkerRequest(ByteSpan bytes);

}  // namespace consilium::wire
