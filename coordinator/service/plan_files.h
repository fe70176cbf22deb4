// The files of a job's preparation: what sites said of their data, and the plan of it.
#pragma once

#include <filesystem>

#include "comm/transport/blob_store.h"
#include "coordinator/core/job_state.h"
#include "coordinator/core/machine_io.h"

namespace consilium::coordinator {

// Can what a site uploaded be used?  Errors: DataLoss when the site is to blame, and says why; else Storage.
Status CheckPreparation(const std::filesystem::path& file, Work work);

// The plan of these statistics, its file durably in `blobs`; `scratch` is a folder that may be made and removed.
// Errors: FailedPrecondition when there can be no plan (federation_planner.h); Storage.
StatusOr<PlanMade> MakeFederationPlan(const std::string& job_json,
                                      const std::map<SiteName, wire::BlobManifest>& statistics,
                                      const std::filesystem::path& scratch, transport::BlobStore* blobs);

// What was received and must now outlive the machine's power.
Status SyncFile(const std::filesystem::path& path);

}  // namespace consilium::coordinator
