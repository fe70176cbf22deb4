// What remains of a finished job: result.json and the final weights.
#pragma once

#include "comm/transport/blob_store.h"
#include "coordinator/core/job_state.h"
#include "coordinator/service/job_folder.h"
#include "coordinator/service/submission.h"

namespace consilium::coordinator {

// {"job", "code", "message", "rounds", "rounds_done", "mode", "parameters", "model", "evaluations": {site: metrics},
//  "not_evaluated": {site: why}}; parameters is null when no round was published.
Json ResultJson(const JobState& state);

// The result of a job that was ended from outside: `outcome` is not in its state.  `state` is null for a job that never
// began.
Status WriteAbortedResult(const JobFolder& folder, const JobState* state, const Submission& submission,
                          const JobFinished& outcome, const transport::BlobStore& blobs);
// Writes model_final.safetensors (of a failed job with at least one round: model_latest.safetensors), then result.json.
Status WriteJobResult(const JobFolder& folder, const JobState& state, const transport::BlobStore& blobs);

}  // namespace consilium::coordinator
