// What a job's journal holds: the facts that a restarted coordinator needs, in the order in which they became true.
//
// A record is made durable before any message that reveals it is sent.  Everything else that the coordinator knows
// (who is connected, timers, progress) can be lost.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "comm/wire/messages.h"

namespace consilium::coordinator {

struct JobOpened {
  JobId job;
  std::string job_json;         // resolved (wire/job.h)
  std::vector<SiteName> sites;  // who takes part, in name order, without repeats
  wire::BlobManifest model;     // the model that round 0 starts from
  friend bool operator==(const JobOpened&, const JobOpened&) = default;
};

struct RoundOpened {
  Round round{};
  std::vector<SiteName> cohort;  // in name order
  Digest model;                  // the blob that the cohort starts from; repeated here so that a journal reads alone
  friend bool operator==(const RoundOpened&, const RoundOpened&) = default;
};

// The update is in the blob store, has the model's tensors and finite values.
struct UpdateAccepted {
  SiteName site;
  wire::TaskKey task;
  wire::BlobManifest update;
  double weight = 1;
  wire::Metrics metrics;
  friend bool operator==(const UpdateAccepted&, const UpdateAccepted&) = default;
};

// An accepted update's body was lost with the machine (power, disk); its site is asked again.
struct UpdateWithdrawn {
  SiteName site;
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

// No further update of the round counts; the accepted ones are folded.
struct RoundClosed {
  Round round{};
  std::vector<SiteName> contributors, missing;  // together the cohort; each in name order
  friend bool operator==(const RoundClosed&, const RoundClosed&) = default;
};

struct ModelPublished {
  Round round{};
  wire::BlobManifest model;
  Digest parameters;  // tensor::ParameterVector::digest() of the model: equal digests are equal weights
  friend bool operator==(const ModelPublished&, const ModelPublished&) = default;
};

struct EvaluationOpened {
  std::vector<SiteName> cohort;
  friend bool operator==(const EvaluationOpened&, const EvaluationOpened&) = default;
};

struct EvaluationAccepted {
  SiteName site;
  wire::TaskKey task;
  wire::Metrics metrics;
  friend bool operator==(const EvaluationAccepted&, const EvaluationAccepted&) = default;
};

struct JobFinished {
  StatusCode code = StatusCode::kOk;
  std::string message;
  friend bool operator==(const JobFinished&, const JobFinished&) = default;
};

using Record = std::variant<JobOpened, RoundOpened, UpdateAccepted, TaskFailureRecorded, RoundClosed, ModelPublished,
                            EvaluationOpened, EvaluationAccepted, JobFinished, UpdateWithdrawn>;

// Canonical bytes: u8 alternative, then the fields.
Bytes Encode(const Record& record);
// Errors: DataLoss for anything that Encode cannot have written.
StatusOr<Record> DecodeRecord(ByteSpan bytes);
// "RoundClosed", for people.
std::string_view RecordName(const Record& record);

}  // namespace consilium::coordinator
