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

namespace {

// Rows: whose model; columns: whose validation cases.
Json MatrixJson(const JobState& state, const EvaluationResult& result) {
  Json models = Json::object();
  for (const auto& [subject, sites] : result.metrics) {
    Json& row = models[subject.empty() ? "global" : subject] = Json::object();
    for (const auto& [site, metrics] : sites) row[site.value()] = MetricsJson(metrics);
  }
  return {{"sites", NamesJson(state.opened().sites)}, {"models", std::move(models)}};
}

}  // namespace

Json ResultJson(const JobState& state) {
  Json evaluations = Json::object(), not_evaluated = Json::object(), rounds = Json::array(), matrix;
  for (const EvaluationResult& result : state.evaluations()) {
    const auto global = result.metrics.find("");
    if (result.purpose == Purpose::kRound)
      rounds.push_back({{"round", ToInt(result.round)}, {"mean", MetricsJson(result.Mean())}});
    if (result.purpose == Purpose::kCrossSite) matrix = MatrixJson(state, result);
    if (result.purpose != Purpose::kFinal) continue;
    if (global != result.metrics.end())
      for (const auto& [site, metrics] : global->second) evaluations[site.value()] = MetricsJson(metrics);
    for (const auto& [site, why] : result.missing) not_evaluated[site.value()] = why;
  }
  const bool published = ToInt(state.round()) > 0;
  return {{"job", state.opened().job.value()},
          {"code", StatusCodeName(state.outcome().code)},
          {"message", state.outcome().message},
          {"rounds", ToInt(state.plan().rounds)},
          {"rounds_done", ToInt(state.round())},
          {"mode", RoundModeName(state.plan().mode)},
          {"stopped_early", state.stopped_early()},
          {"parameters", published ? Json(state.parameters().ToHex()) : Json(nullptr)},
          {"model", published ? Json(state.model().digest.ToHex()) : Json(nullptr)},
          {"privacy", state.site_privacy().empty() ? Json(nullptr) : Json::parse(state.site_privacy())},
          {"evaluations", std::move(evaluations)},
          {"not_evaluated", std::move(not_evaluated)},
          {"round_evaluations", std::move(rounds)},
          {"best", state.best() ? Json{{"round", ToInt(state.best()->round)},
                                       {"metric", state.plan().metric},
                                       {"value", state.best()->value},
                                       {"model", state.best()->model.digest.ToHex()},
                                       {"parameters", state.best()->parameters.ToHex()}}
                                : Json(nullptr)},
          {"cross_site", std::move(matrix)}};
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
  if (state.best()) RETURN_IF_ERROR(CopyWhole(blobs.PathOf(state.best()->model.digest), folder.best_model()));
  return WriteJson(folder.result(), ResultJson(state));
}

}  // namespace consilium::coordinator
