// From nnU-Net's plans to a job: `model: {architecture: plan, plans: nnUNetPlans.json}` becomes explicit numbers, so
// that what is compared, journalled and sent to sites never depends on a file that only one party has.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "comm/wire/job.h"

namespace consilium::wire {

// What a configuration of the plans decides, as dotted keys of the job file and their values, axes in the order of the
// data (nnU-Net's plans put the coarsest axis first).  `where` names the plans in errors.  kNotFound lists the
// configurations there are; kUnimplemented: a network or an order of axes that is known and not built.
StatusOr<std::vector<std::pair<std::string, Json>>> PlannedKeys(const Json& plans, const std::string& configuration,
                                                                const std::string& where);

// `job` with everything that the plans decide for its data.configuration, whatever it said before.
StatusOr<JobSpec> ApplyPlan(const JobSpec& job, const Json& plans, const std::string& where);

// For a job file: sets what the job does not say itself, reading model.plans (relative to `folder`).  Nothing to do
// unless model.architecture is plan.
Status ResolvePlan(const std::filesystem::path& folder, ConfigNode* root);

}  // namespace consilium::wire
