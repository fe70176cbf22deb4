#include "coordinator/service/job_result.h"

#include "comm/base/file.h"
#include "coordinator/core/job_machine.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;

// Whole or absent, and not the blob itself: a person may do with it what they like.
Status CopyWhole(const fs::path& from, const fs::path& to) {
  const fs::path temporary = to.string() + ".tmp";
  std::error_code error;
  fs::copy_file(from, temporary, fs::copy_options::overwrite_existing, error);
  if (!error) fs::rename(temporary, to, error);
  if (!error) return SyncDirectory(to.parent_path());
  std::error_code ignored;
  fs::remove(temporary, ignored);
  return ErrnoStatus(error.value(), "copying " + from.string() + " to " + to.string());
}

}  // namespace

Json ResultJson(const JobState& state) {
  Json evaluations = Json::object(), not_evaluated = Json::object();
  if (state.all_rounds_done()) {
    for (const SiteName& site : state.opened().sites) {
      const auto work = state.cohort().find(site);
      if (work == state.cohort().end())
        not_evaluated[site.value()] = "it was not connected when the evaluation began";
      else if (work->second.evaluation)
        evaluations[site.value()] = MetricsJson(work->second.evaluation->metrics);
      else
        not_evaluated[site.value()] =
            work->second.last_failure ? work->second.last_failure->message : "it did not answer by the deadline";
    }
  }
  const bool published = ToInt(state.round()) > 0;
  return {{"job", state.opened().job.value()},
          {"code", StatusCodeName(state.outcome().code)},
          {"message", state.outcome().message},
          {"rounds", ToInt(state.plan().rounds)},
          {"rounds_done", ToInt(state.round())},
          {"mode", state.plan().mode == RoundMode::kWait ? "wait" : "close"},
          {"parameters", published ? Json(state.parameters().ToHex()) : Json(nullptr)},
          {"model", published ? Json(state.model().digest.ToHex()) : Json(nullptr)},
          {"evaluations", std::move(evaluations)},
          {"not_evaluated", std::move(not_evaluated)}};
}

Status WriteAbortedResult(const JobFolder& folder, const JobState* state, const Submission& submission,
                          const JobFinished& outcome, const transport::BlobStore& blobs) {
  Json result = {{"job", submission.job.value()}, {"rounds_done", 0}, {"parameters", nullptr}, {"model", nullptr}};
  if (state != nullptr && state->phase() != Phase::kNew) {
    if (ToInt(state->round()) > 0)
      RETURN_IF_ERROR(CopyWhole(blobs.PathOf(state->model().digest), folder.latest_model()));
    result = ResultJson(*state);
  }
  result["code"] = StatusCodeName(outcome.code);
  result["message"] = outcome.message;
  return WriteJson(folder.result(), result);
}

Status WriteJobResult(const JobFolder& folder, const JobState& state, const transport::BlobStore& blobs) {
  const bool succeeded = state.outcome().code == StatusCode::kOk;
  if (ToInt(state.round()) > 0)
    RETURN_IF_ERROR(
        CopyWhole(blobs.PathOf(state.model().digest), succeeded ? folder.final_model() : folder.latest_model()));
  return WriteJson(folder.result(), ResultJson(state));
}

}  // namespace consilium::coordinator
