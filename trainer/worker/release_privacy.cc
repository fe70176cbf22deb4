#include "trainer/worker/release_privacy.h"

#include "comm/base/digest.h"
#include "comm/base/log.h"
#include "privacy/dp/noise_key.h"
#include "trainer/loop/environment.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kHexDigits = 32;  // of the digest, in the release's name: 128 bits

template <typename T>
void Add(const std::vector<T>& values, Sha256* digest) {
  digest->Update({reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(T)});
}

void Add(const std::string& text, Sha256* digest) { digest->Update(AsBytes(Concat(text.size(), ":", text, ";"))); }

// Of a file that the task may have.
StatusOr<std::string> FileHex(const std::string& path) {
  if (path.empty()) return std::string("none");
  ASSIGN_OR_RETURN(const Digest digest, Sha256OfFile(path));
  return digest.ToHex();
}

// Of all that the update is a function of, but the secret.
StatusOr<Digest> DigestOfWork(const ReleasePrivacy::Options& options) {
  const wire::WorkerTask& task = options.task;
  Sha256 digest;
  Add(task.job_json, &digest);
  for (const std::string& path : {task.model_path, task.state_in, task.auxiliary_path}) {
    ASSIGN_OR_RETURN(const std::string hex, FileHex(path));
    Add(hex, &digest);
  }
  Add(Concat(BuildName(), ", ", options.trainer.device(), ", ", options.trainer.threads(), " threads, site ",
             task.site),
      &digest);
  for (const datasets::PreparedCase& one : options.cases) {
    Add(Concat(one.id, " ", one.channels, " ", one.shape[0], " ", one.shape[1], " ", one.shape[2]), &digest);
    Add(one.image, &digest);
    Add(one.labels, &digest);
  }
  return digest.Finish();
}

}  // namespace

StatusOr<ReleasePrivacy> ReleasePrivacy::Open(const Options& options) {
  if (options.ledgers.empty())
    return InvalidArgument("the job has privacy.records, and this worker was started without --ledgers FOLDER");
  const wire::RecordPrivacySpec& records = options.job.record_privacy;
  const fs::path folder = options.ledgers / options.data_set;
  CONSILIUM_CHECK(options.trainer.mechanism().has_value(), "the trainer was made for a job without privacy.records");
  ASSIGN_OR_RETURN(dp::RecordAccount account,
                   dp::RecordAccount::Open({.folder = folder,
                                            .job = options.job.name,
                                            .budget = {.epsilon = records.epsilon, .delta = records.delta},
                                            .clip = records.clip,
                                            .step = *options.trainer.mechanism()}));
  ASSIGN_OR_RETURN(SecretBytes key, dp::OpenNoiseKey(folder, SystemEntropy()));
  ASSIGN_OR_RETURN(const Digest work, DigestOfWork(options));
  const wire::TaskKey& task = options.task.task;
  std::string release = Concat(ToInt(task.round), ".", ToInt(task.attempt), "/", work.ToHex().substr(0, kHexDigits));
  return ReleasePrivacy(std::move(account), std::move(key), options.job.name, std::move(release));
}

Status ReleasePrivacy::Begin(Trainer* trainer, std::int64_t steps) {
  steps_ = steps;
  RETURN_IF_ERROR(account_.CanPay(release_, steps));
  trainer->SetNoise(key_, job_ + "/" + release_);
  return Status();
}

Status ReleasePrivacy::Pay(wire::Metrics* metrics) {
  RETURN_IF_ERROR(account_.Pay(release_, steps_));
  ASSIGN_OR_RETURN(const dp::RecordReport report, account_.Report());
  Log(LogLevel::kInfo, "privacy_charged", {{"release", release_}, {"report", dp::ToText(report)}});
  (*metrics)["epsilon"] = report.epsilon;
  (*metrics)["epsilon_rdp"] = report.epsilon_rdp;
  (*metrics)["epsilon_data_set"] = report.epsilon_data_set;
  (*metrics)["delta"] = report.budget.delta;
  (*metrics)["noise_multiplier"] = report.all_steps.noise_multiplier;
  (*metrics)["sampling_rate"] = report.all_steps.sampling_rate;
  return Status();
}

}  // namespace consilium::trainer
