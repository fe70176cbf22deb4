#include "coordinator/service/plan_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "comm/base/file.h"
#include "coordinator/core/federation_planner.h"
#include "coordinator/core/job_machine.h"
#include "coordinator/service/model_file.h"

namespace consilium::coordinator {

Status CheckPreparation(const std::filesystem::path& file, Work work) {
  if (work == Work::kInitialModel) {
    const Status model = CheckModelFile(file);
    return model.code() == StatusCode::kInvalidArgument ? DataLoss(model.message()) : model;
  }
  const StatusOr<std::string> bytes = ReadFile(file, kStatementBytesMax);
  if (bytes.code() == StatusCode::kNotFound) return DataLoss("the statistics were announced but never uploaded");
  RETURN_IF_ERROR(bytes.status());
  return CheckStatistics(AsBytes(*bytes));
}

StatusOr<PlanMade> MakeFederationPlan(const std::string& job_json,
                                      const std::map<SiteName, wire::BlobManifest>& statistics,
                                      const std::filesystem::path& scratch, transport::BlobStore* blobs) {
  std::vector<SiteStatement> statements;
  for (const auto& [site, manifest] : statistics) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(blobs->PathOf(manifest.digest), kStatementBytesMax));
    const ByteSpan raw = AsBytes(bytes);
    statements.push_back({site, Bytes(raw.begin(), raw.end())});
  }
  ASSIGN_OR_RETURN(const PlannedJob planned, PlanFederation(job_json, statements));
  RETURN_IF_ERROR(MakeDirectories(scratch));
  const std::filesystem::path file = scratch / "plans.json";
  RETURN_IF_ERROR(WriteFileAtomic(file, planned.plans));
  PlanMade made{.job_json = planned.job_json,
                .plans = {},
                .digest = Sha256Of(planned.plans),
                .cases = planned.cases,
                .cases_min = planned.cases_min};
  ASSIGN_OR_RETURN(made.plans, blobs->Import(file));
  RETURN_IF_ERROR(SyncDirectory(blobs->PathOf(made.plans.digest).parent_path()));
  std::error_code ignored;
  std::filesystem::remove_all(scratch, ignored);
  return made;
}

Status SyncFile(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return ErrnoStatus(errno, "opening " + path.string());
  const int failed = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  if (failed != 0) return ErrnoStatus(failed, "writing " + path.string());
  return SyncDirectory(path.parent_path());
}

}  // namespace consilium::coordinator
