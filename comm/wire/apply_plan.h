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

// Does the job ask its sites to plan together before round 0 (model.architecture: plan, and no model.plans)?  Until
// then what the plan will decide is 0 or empty where the job does not say it itself.
bool NeedsPlan(const JobSpec& job);

// `job` with everything that the plans decide for its data.configuration.  What a job that NeedsPlan says itself
// stands; of another one everything is set anew.
StatusOr<JobSpec> ApplyPlan(const JobSpec& job, const Json& plans, const std::string& where);

// For a job file: sets what the job does not say itself, reading model.plans (relative to `folder`).  Nothing to do
// unless model.architecture is plan.
Status ResolvePlan(const std::filesystem::path& folder, ConfigNode* root);

// As ReadJob (job.h), for those who hand the job to a coordinator: it may be one that NeedsPlan.
StatusOr<JobSpec> ReadJobToSubmit(const std::filesystem::path& path, const std::vector<std::string>& assignments = {});

}  // namespace consilium::wire
