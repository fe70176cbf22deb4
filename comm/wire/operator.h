// What operators and the coordinator say to each other about jobs, and its canonical bytes.
//
// Every exchange is one request and one reply: what takes long is asked for in pieces (chunks of a model, parts of a
// log), each with a deadline, and each safe to ask for again.  Who asks is proven by a certificate, never said here.
// Every decoder is total: any bytes give a message or a DataLoss status, with bounded memory.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "comm/base/ids.h"
#include "comm/wire/blob.h"
#include "comm/wire/messages.h"

namespace consilium::wire {

// A chunk and what goes with it, or a manifest of the largest blob and a job.
inline constexpr std::size_t kOperatorBytesMax = kChunkBytes + (32u << 10);
// Of a resolved job's JSON; of a document or a part of a log.
inline constexpr std::size_t kJobJsonBytesMax = 256u << 10;
inline constexpr std::size_t kDocumentBytesMax = 512u << 10;
inline constexpr std::uint32_t kLogWaitMaxMs = 20'000;

// --- requests
// ------------------------------------------------------------------------------------------------------------------

// Who am I to you, and what are you?  Answered with Pong.
struct Ping {
  friend bool operator==(const Ping&, const Ping&) = default;
};

// Run this job.  Answered with SubmitReply; said again after the model's chunks have been put.
struct SubmitJob {
  std::string job_json;       // the resolved job (wire/job.h)
  BlobManifest model;         // the weights that round 0 starts from
  std::int32_t priority = 0;  // higher ones leave the queue first
  friend bool operator==(const SubmitJob&, const SubmitJob&) = default;
};
// The next chunk of a model that a SubmitJob announced.  Answered with ChunkTaken.
struct PutChunk {
  Digest model;
  std::uint32_t index = 0;
  std::string data;
  friend bool operator==(const PutChunk&, const PutChunk&) = default;
};

// Each of these is answered with a Document.
struct ListJobs {
  friend bool operator==(const ListJobs&, const ListJobs&) = default;
};
struct DescribeJob {
  JobId job;
  friend bool operator==(const DescribeJob&, const DescribeJob&) = default;
};
struct ExplainJob {
  JobId job;
  friend bool operator==(const ExplainJob&, const ExplainJob&) = default;
};
struct AbortJob {
  JobId job;
  std::string reason;
  friend bool operator==(const AbortJob&, const AbortJob&) = default;
};
// Nothing new is begun of the job until it is resumed; what is under way goes on.  Said again: the same.
struct PauseJob {
  JobId job;
  friend bool operator==(const PauseJob&, const PauseJob&) = default;
};
struct ResumeJob {
  JobId job;
  friend bool operator==(const ResumeJob&, const ResumeJob&) = default;
};

// The job's events from a place in its log on; waits up to wait_ms for one.  Answered with LogPart.
struct ReadLog {
  JobId job;
  std::uint64_t position = 0;  // as LogPart::position gave it; 0: the beginning
  std::uint32_t wait_ms = 0;
  friend bool operator==(const ReadLog&, const ReadLog&) = default;
};

// One of a job's files.  Answered with FileOffer.
struct OfferFile {
  JobId job;
  std::string name;  // "model", "model_latest", "result.json", "metrics.jsonl", ...
  friend bool operator==(const OfferFile&, const OfferFile&) = default;
};
// Answered with FileChunk.
struct GetChunk {
  JobId job;
  std::string name;
  Digest digest;  // of the offer
  std::uint32_t index = 0;
  friend bool operator==(const GetChunk&, const GetChunk&) = default;
};

// In the order of their first versions: a coordinator that does not know one yet refuses it.
using OperatorRequest = std::variant<Ping, SubmitJob, PutChunk, ListJobs, DescribeJob, ExplainJob, AbortJob, ReadLog,
                                     OfferFile, GetChunk, PauseJob, ResumeJob>;

// --- replies
// -------------------------------------------------------------------------------------------------------------------

struct Pong {
  std::uint32_t protocol_major = kProtocolMajor;
  std::uint32_t protocol_minor = kProtocolMinor;
  std::string build;        // "0.1.0"
  std::string coordinator;  // its certificate's name
  std::string you;          // the identity that was proven: spiffe://PROJECT/operator/NAME/ROLES
  friend bool operator==(const Pong&, const Pong&) = default;
};

enum class SubmitState : std::uint8_t {
  kModelWanted,  // put the chunks from chunks_done on, then say SubmitJob again
  kAccepted,     // durable: it will run, whatever happens to the coordinator
  kThereBefore,  // the same job was accepted earlier
};
struct SubmitReply {
  SubmitState state = SubmitState::kAccepted;
  std::uint32_t chunks_done = 0;
  std::string message;  // for people: "queued behind heart-1"
  friend bool operator==(const SubmitReply&, const SubmitReply&) = default;
};
struct ChunkTaken {
  std::uint32_t chunks_done = 0;
  friend bool operator==(const ChunkTaken&, const ChunkTaken&) = default;
};
struct Document {
  std::string json;
  friend bool operator==(const Document&, const Document&) = default;
};
struct LogPart {
  std::string lines;           // whole JSON lines
  std::uint64_t position = 0;  // where the next part begins
  bool over = false;           // the job is over, and this was the rest
  friend bool operator==(const LogPart&, const LogPart&) = default;
};
struct FileOffer {
  std::string file_name;  // what it is called in the job's folder
  BlobManifest manifest;
  friend bool operator==(const FileOffer&, const FileOffer&) = default;
};
struct FileChunk {
  std::string data;
  friend bool operator==(const FileChunk&, const FileChunk&) = default;
};

using OperatorReply = std::variant<Pong, SubmitReply, ChunkTaken, Document, LogPart, FileOffer, FileChunk>;

// Canonical bytes: u8 alternative, then the fields in order.  Encode cuts texts at their limits.
Bytes Encode(const OperatorRequest& request);
Bytes Encode(const OperatorReply& reply);
StatusOr<OperatorRequest> DecodeOperatorRequest(ByteSpan bytes);
StatusOr<OperatorReply> DecodeOperatorReply(ByteSpan bytes);
std::string_view RequestName(const OperatorRequest& request);  // "submit", for logs and refusals

}  // namespace consilium::wire
