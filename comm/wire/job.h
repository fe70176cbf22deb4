// One job file for train, simulate, submit and launch: the validated form of it.
//
// Unknown keys are errors that suggest the nearest known one; keys that the plan knows but this build does not have are
// refused (kUnimplemented), never ignored.  Defaults and units live here only.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "comm/base/config.h"
#include "comm/base/digest.h"
#include "comm/base/json.h"
#include "comm/tensor/compression.h"
#include "comm/wire/strategy.h"

namespace consilium::wire {

// How one channel's intensities are scaled; nnU-Net's names.
struct ChannelNormalization {
  std::string scheme = "ZScoreNormalization";
  bool inside_mask = false;                         // z-scores from inside the nonzero mask, zero outside
  double mean = 0, std = 1;                         // CTNormalization: of the data set's foreground
  double percentile_00_5 = 0, percentile_99_5 = 0;  // CTNormalization: values are clipped to these
};

struct DataSpec {
  std::string dataset;                       // folder name of the nnU-Net raw data set, e.g. Dataset004_Hippocampus
  std::string configuration = "3d_fullres";  // 2d | 3d_fullres
  std::int64_t fold = 0;                     // -1: "all" (training cases are also the validation cases)
  std::vector<double> spacing;  // mm, (z, y, x) or (y, x), that the plan is for; empty: whatever the cases have
  std::vector<ChannelNormalization> normalization;  // one a channel, from plans; empty: by the channels' names
};

struct ModelSpec {
  std::string architecture = "plain_unet";  // nnU-Net's PlainConvUNet
  std::vector<std::int64_t> patch_size;     // voxels, (z, y, x) or (y, x)
  std::int64_t base_features = 32;          // channels of the first stage; doubled per stage
  std::int64_t features_max = 320;          // cap on channels
  // One per stage, axis order as patch_size; empty: derived from the patch (specs: nnU-Net planner, isotropic spacing).
  std::vector<std::vector<std::int64_t>> strides;
  std::vector<std::vector<std::int64_t>> kernels;
  bool deep_supervision = true;
};

struct AugmentationSpec {
  bool mirror = true;     // each axis with probability 0.5
  bool intensity = true;  // noise, brightness, contrast, gamma with nnU-Net's probabilities and ranges
};

struct TrainSpec {
  std::int64_t epochs = 100;
  std::int64_t iterations = 250;            // optimizer steps an epoch
  std::int64_t validation_iterations = 20;  // batches of validation patches an epoch, for the pseudo Dice
  std::int64_t batch_size = 2;              // global: split over ranks
  std::int64_t gradient_accumulation = 1;   // micro-batches a step; batch_size is split into that many
  std::string precision = "auto";           // auto | float32
  std::int64_t seed = 1;
  std::int64_t threads = 0;     // 0: the affinity mask, divided by local ranks
  double learning_rate = 0.01;  // poly: lr * (1 - epoch / epochs)^0.9
  double momentum = 0.99;       // Nesterov
  double weight_decay = 3e-5;
  double gradient_clip = 12.0;            // L2 norm
  double foreground_oversampling = 0.33;  // fraction of patches forced to contain foreground
  AugmentationSpec augmentation;
  Duration checkpoint_every = std::chrono::minutes(10);
};

struct ClusterSpec {
  std::int64_t ranks = 1;
  std::string backend = "auto";                      // auto | gloo | nccl
  Duration step_timeout = std::chrono::seconds(60);  // a collective that takes longer is a hang
};

enum class RoundMode { kClose, kWait, kAsync, kSecure };

enum class EvaluateOn {
  kValidation,  // the validation cases of the job's fold; the best model is chosen by them
  kHeldout,     // cases that nobody trains on; nothing is chosen by them
};

// What becomes of a site's optimizer momentum between two rounds.
enum class LocalMomentum {
  kAuto,   // in the job file only: keep, but reset for fednova
  kKeep,   // goes on where it was: one site equals centralised training
  kReset,  // begins at 0 in each round
};

// A model of its own for each site, besides the shared one.
enum class PersonalizationMethod {
  kNone,
  kFinetune,  // the final model, trained on for some steps at each site
  kDitto,     // a second model, trained in every round and held near the global one (Li et al., ICML 2021)
};
struct PersonalizationSpec {
  PersonalizationMethod method = PersonalizationMethod::kNone;
  std::int64_t iterations = 100;  // finetune: optimizer steps
  double learning_rate = 0;       // finetune: constant; resolved: a tenth of train.learning_rate
  double lambda = 0.1;            // ditto: the pull towards the global model
};

// Secure aggregation: the coordinator gets the sum of the sites' updates and none of them (docs/privacy.md).
struct SecureSpec {
  bool enabled = false;
  std::int64_t min_cohort = 5;       // fewer sites than this in a sum release nothing; at least 3
  double clip = 4;                   // of a single value of an update (a difference of weights); larger ones are cut
  std::int64_t examples_max = 1024;  // a site with more examples counts as if it had so many
  friend bool operator==(const SecureSpec&, const SecureSpec&) = default;
};

struct FederationSpec {
  std::int64_t rounds = 10;
  RoundMode mode = RoundMode::kClose;
  std::int64_t sites_min = 2;          // fewer replies than this at the deadline fail the round
  std::vector<std::string> sites;      // who takes part; empty: every site of the coordinator's roster
  double sites_fraction = 1;           // share of the sites at hand that a round asks, in (0, 1]; at least sites_min
  std::int64_t sites_over_select = 0;  // asked beyond that; the round closes when as many as wanted have replied
  std::int64_t sites_enough = 0;       // so many replies, and a grace for the others, close the round; 0: all
  Duration round_deadline = std::chrono::minutes(20);
  std::int64_t local_epochs = 1;      // epochs a round; ...
  std::int64_t local_iterations = 0;  // ... or, when > 0, one epoch of that many iterations a round
  LocalMomentum local_momentum = LocalMomentum::kKeep;
  std::string strategy = "fedavg";         // a name of the catalogue (wire/strategy.h)
  std::string weighting = "examples";      // examples | equal
  StrategyParameters strategy_parameters;  // all of the strategy's, defaults filled in
  std::vector<std::string> personal;       // patterns of tensors that never leave a site (wire/shared_schema.h)
  PersonalizationSpec personalization;
  // "clustered" only: group name to its sites; empty: groups are found.
  std::map<std::string, std::vector<std::string>> strategy_groups;
  // "mixing" only: whose models a site's new model is made of; rows need not sum to 1.  Empty: made by the parameters.
  std::map<std::string, std::map<std::string, double>> strategy_matrix;
  // How updates travel up.  Other than none: they are deltas (wire/update_format.h).
  tensor::CompressionSpec compression;
  SecureSpec secure;
  std::int64_t evaluate_every = 0;  // rounds between evaluations of the global model; 0: at the end alone
  EvaluateOn evaluate_on = EvaluateOn::kValidation;
  std::string evaluate_metric = "dice";  // larger is better, unless its name begins with "loss"
  std::int64_t early_stop_patience = 0;  // evaluations without an improvement that end the rounds; 0: never
  double early_stop_min_delta = 0;       // what counts as an improvement
  bool cross_site = false;               // at the end, every site's model on every site's validation cases
};

// The most sites of a secure sum: the ring of 2^32 has room for them (secagg/quantizer.h).
inline constexpr std::int64_t kSecureSitesMax = 1000;
// A sum of so many sites has to be drawn with a beacon (secagg/beacon.h), because not everybody can share masks with
// everybody.
bool NeedsBeacon(const SecureSpec& secure, std::size_t sites);

// What sites put into their update files: deltas where they are compressed or summed in secret, else what the strategy
// says.
UpdateKind UpdateKindOf(const FederationSpec& federation);

// The strategy's parameter of that name, which it must have.
double ParameterOf(const FederationSpec& federation, std::string_view name);

// Differential privacy for records: what leaves a site says little about any one case (docs/privacy.md).
struct RecordPrivacySpec {
  bool enabled = false;
  double epsilon = 0;   // the budget of the whole job at each site, for adding or removing one case; ...
  double delta = 1e-5;  // ... no release is made that exceeds it
  double clip = 1;      // L2 norm of one case's gradient in a step
  double noise_multiplier =
      0;  // of each step's sum, in units of clip; 0: the least with which all steps fit the budget
};

// Differential privacy for sites: what comes out of a round says little about any one site's whole part in it
// (docs/privacy.md).
struct SitePrivacySpec {
  bool enabled = false;
  double epsilon = 0;  // the budget of the whole job, for one site's updates replaced by zeros
  double delta = 1e-5;
  double clip = 1;              // L2 norm of an update; where it is adaptive, of the first round's
  bool adaptive_clip = false;   // the clip follows the norms of the updates
  double clip_quantile = 0.5;   // so many of them are to be below it
  double noise_multiplier = 0;  // of a round's sum, in units of clip; 0: the least with which all rounds fit the budget
  bool accept_noise = false;    // also where there is much more noise than there can be signal
  friend bool operator==(const SitePrivacySpec&, const SitePrivacySpec&) = default;
};
// What a clip may be, in the job and later.
inline constexpr double kSiteClipMin = 1e-9, kSiteClipMax = 1e9;

struct JobSpec {
  std::string name;
  std::string task = "segmentation";
  DataSpec data;
  ModelSpec model;
  TrainSpec train;
  ClusterSpec cluster;
  bool has_federation = false;
  FederationSpec federation;
  RecordPrivacySpec record_privacy;
  SitePrivacySpec site_privacy;
};

// Errors: InvalidArgument (file, line, key, what was expected), Unimplemented (known key, not built yet).
StatusOr<JobSpec> ParseJob(const ConfigNode& root);
// Reads the file and applies "--set" assignments in order.
StatusOr<JobSpec> ReadJob(const std::filesystem::path& path, const std::vector<std::string>& assignments = {});

// The resolved job: every key with its value.  ParseJob(JobToJson(job)) == job.
Json JobToJson(const JobSpec& job);
// JobToJson as block YAML, for RUN/job.yaml.
std::string JobToYaml(const JobSpec& job);
// SHA-256 of the resolved job's compact JSON: what coordinator and sites compare.
Digest JobDigest(const JobSpec& job);

// What a site or a cluster job trains in total: with a federation, rounds x local epochs of (local_iterations or
// iterations) steps; else train.epochs of train.iterations.  The poly schedule runs over this total, so that one site
// equals centralised training.
struct Schedule {
  std::int64_t epochs;
  std::int64_t iterations;        // an epoch
  std::int64_t epochs_per_round;  // = epochs when there is no federation
};
Schedule ScheduleOf(const JobSpec& job);

}  // namespace consilium::wire
