// STATE/jobs/<name>: what a job leaves on disk.  The journal is the truth; everything else is a view of it for people
// and programs, rewritten or appended as the job goes on.
//
//   submission.json     the job as it was handed in (submission.h)
//   job.yaml            the resolved job; once the sites have planned it, with their plan
//   nnUNetPlans.json    the plan, if the sites made one
//   journal.sqlite      journal.h
//   events.jsonl        one event a line with its UTC time; for people: after a crash some are missing
//   metrics.jsonl       one round a line; rebuilt from the journal at start
//   status.json         now: phase, round, who is awaited since when, each site's progress; replaced as a whole
//   model_final.safetensors, model_best.safetensors (if rounds were validated), result.json    once the job is over
//   told.json           which sites know that it is
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "comm/base/ids.h"
#include "comm/base/json.h"
#include "comm/base/time.h"

namespace consilium::coordinator {

class JobFolder {
 public:
  JobFolder(const std::filesystem::path& state, const JobId& job) : root_(state / "jobs" / job.value()) {}

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path submission() const { return root_ / "submission.json"; }
  std::filesystem::path told() const { return root_ / "told.json"; }
  std::filesystem::path job_yaml() const { return root_ / "job.yaml"; }
  std::filesystem::path plans() const { return root_ / "nnUNetPlans.json"; }
  std::filesystem::path journal() const { return root_ / "journal.sqlite"; }
  std::filesystem::path events() const { return root_ / "events.jsonl"; }
  std::filesystem::path metrics() const { return root_ / "metrics.jsonl"; }
  std::filesystem::path status() const { return root_ / "status.json"; }
  std::filesystem::path fold() const { return root_ / "fold"; }
  std::filesystem::path result() const { return root_ / "result.json"; }
  std::filesystem::path final_model() const { return root_ / "model_final.safetensors"; }
  std::filesystem::path best_model() const { return root_ / "model_best.safetensors"; }  // by validation, if asked for
  std::filesystem::path latest_model() const { return root_ / "model_latest.safetensors"; }  // of a job that failed

 private:
  std::filesystem::path root_;
};

// The names of the jobs in a state folder, in order.
std::vector<JobId> JobsIn(const std::filesystem::path& state);

// A file of JSON lines that is appended to.  A line that cannot be written is lost with one warning in the log: these
// are views, and the job goes on.  Strand-bound.
class JsonLines {
 public:
  enum class At { kEnd, kBeginning };
  static StatusOr<std::unique_ptr<JsonLines>> Open(const std::filesystem::path& path, At at);
  void Append(const Json& line);

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  JsonLines(std::filesystem::path path, std::FILE* file) : path_(std::move(path)), file_(file) {}
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Closer> file_;
  bool warned_ = false;
};

// {"time": ..., "event": ..., fields...} into events.jsonl, and the same as a line of the log.
void RecordEvent(JsonLines* events, const Clock& clock, const JobId& job, const std::string& event, const Json& fields);

}  // namespace consilium::coordinator
