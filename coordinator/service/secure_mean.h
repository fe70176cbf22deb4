// Mode secure: the sum of a round's masked vectors, as the one update that it stands for.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "comm/base/json.h"
#include "comm/wire/job.h"
#include "coordinator/core/machine_io.h"
#include "coordinator/service/aggregate.h"

namespace consilium::coordinator {

struct SecureMeanRequest {
  SecureFold secure;
  std::vector<Contribution> contributions;  // of the survivors, in name order
  std::function<std::filesystem::path(const Digest&)> path_of;
  std::filesystem::path model;  // the global model; personal tensors are left out
  std::vector<std::string> personal;
  wire::SitePrivacySpec site_privacy;
  std::int64_t rounds = 1;  // of the job
  std::filesystem::path output;
  std::size_t threads = 0;  // 0: the machine's, at most 4
};

struct SecureMean {
  Json notes;                         // scalars for metrics.jsonl
  std::size_t sites = 0;              // in the sum
  std::optional<double> share_below;  // under privacy.sites with an adaptive clip (private_sum::NoisySum)
};

// Writes the weighted mean of the survivors' updates as an update file (wire/update_format.h) of kind delta, and
// notes "secure_weight", "loss", "clipped", and "liars" where shares were wrong; under privacy.sites the weight is the
// number of survivors, and nothing else is in the sum.  Memory
// is a few MiB and what the masks' seeds take, whatever the model's size.  Errors: FailedPrecondition when no sum can
// be had of these vectors and shares, naming who is to blame; Storage and others are the machine's fault.
StatusOr<SecureMean> WriteSecureMean(const SecureMeanRequest& request);

// Of sites that were summed in groups: each group's mean is one update.
struct GroupMeans {
  // In the groups' order, named "group-1", "group-2", ...; the weight is the summed weight of the group's sites.
  std::vector<AggregateContribution> contributions;
  // "groups": [{"group", "sites", "weight", "loss", ...} or {"group", "left_out": why}]; "secure_weight" and the means
  // of the metrics over all groups; "liars".
  Json notes;
};
// One WriteSecureMean a group, into files in the folder of request.output.  A sum that cannot be had, because one of
// its sites broke the protocol, is left out.  Errors: FailedPrecondition when fewer than `groups_min` are left; what is
// the machine's fault.
StatusOr<GroupMeans> WriteGroupMeans(SecureMeanRequest request, const std::vector<SecureFold>& groups,
                                     std::size_t groups_min);

// How many values of the model travel.
StatusOr<std::uint64_t> SharedElements(const std::filesystem::path& model, const std::vector<std::string>& personal);

}  // namespace consilium::coordinator
