#include "coordinator/service/noise_check.h"

#include "coordinator/service/secure_mean.h"
#include "privacy/private_sum/noise_plan.h"

namespace consilium::coordinator {

Status CheckSiteNoise(const Submission& submission, const std::filesystem::path& model) {
  ASSIGN_OR_RETURN(const ConfigNode node, ConfigNode::Parse(submission.job_json, "the job"));
  ASSIGN_OR_RETURN(const wire::JobSpec job, wire::ParseJob(node));
  if (!job.site_privacy.enabled) return Status();
  ASSIGN_OR_RETURN(const std::uint64_t elements, SharedElements(model, job.federation.personal));
  const private_sum::SiteTerms terms = {
      .spec = job.site_privacy, .rounds = job.federation.rounds, .elements = elements};
  ASSIGN_OR_RETURN(const private_sum::NoisePlan plan,
                   private_sum::PlanForSites(terms, submission.sites.size(),
                                             static_cast<std::size_t>(job.federation.secure.min_cohort)));
  return private_sum::CheckUse(plan, job.site_privacy);
}

}  // namespace consilium::coordinator
