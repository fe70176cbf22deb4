#include "trainer/loop/run_privacy.h"

namespace consilium::trainer {

StatusOr<std::unique_ptr<RunPrivacy>> RunPrivacy::Open(const Options& options, Trainer* trainer) {
  const wire::RecordPrivacySpec& records = options.job.record_privacy;
  CONSILIUM_CHECK(trainer->mechanism().has_value(), "the trainer was made for a job without privacy.records");
  ASSIGN_OR_RETURN(dp::RecordAccount account,
                   dp::RecordAccount::Open({.folder = options.ledger,
                                            .job = options.job.name,
                                            .budget = {.epsilon = records.epsilon, .delta = records.delta},
                                            .clip = records.clip,
                                            .step = *trainer->mechanism()}));
  return std::unique_ptr<RunPrivacy>(new RunPrivacy(options, trainer, std::move(account)));
}

Status RunPrivacy::Begin(std::int64_t done, std::int64_t total) {
  name_ = Concat("run-", RandomHex(*options_.entropy, 8));
  trainer_->SetNoise(RandomSecret(*options_.entropy, 32), name_);
  paid_ = done;
  ASSIGN_OR_RETURN(const std::int64_t within, account_.StepsWithin(total - done));
  last_ = done + within;
  return within > 0 || done == total ? Status() : Spent(total);
}

Status RunPrivacy::Pay(std::int64_t done) {
  if (done == paid_) return Status();
  RETURN_IF_ERROR(account_.Pay(Concat(name_, "/", paid_, "-", done), done - paid_));
  paid_ = done;
  return Status();
}

Status RunPrivacy::Spent(std::int64_t total) const {
  return PrivacyBudget("the privacy budget (privacy.records.epsilon: ", options_.job.record_privacy.epsilon,
                       ") is spent after step ", last_, " of ", total,
                       "; the checkpoint of that step is what may be had for it. Mend: fewer steps, a smaller "
                       "train.batch_size or more noise in a new job; a larger epsilon protects less");
}

}  // namespace consilium::trainer
