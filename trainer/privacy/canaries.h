// Canaries for the audit of a private gradient: made-up records whose gradient is one coordinate of parameters that the
// model does not have, and larger than the clip.
//
// White-box and as strong as can be: nothing else moves their coordinates, and each is in every step (sampling rate 1).
// What they find holds for the model's own parameters as well, since clipping and noise are the same for all.
// M. Nasr et al., "Tight auditing of differentially private machine learning", USENIX Security 2023 (Dirac canaries).
#pragma once

#include <torch/torch.h>

#include <vector>

#include "privacy/dp/audit.h"
#include "trainer/privacy/private_gradient.h"

namespace consilium::trainer {

struct CanaryOptions {
  std::int64_t count = 1000;
  double clip = 1;  // the gradient's
};

// Strand-bound.
class Canaries {
 public:
  // `coins`: at least 16 bytes; which canaries are in is a function of them.
  Canaries(const CanaryOptions& options, const SecretBytes& coins);

  // To be given to the PrivateGradient beside the model's parameters; no optimizer takes them.
  const std::vector<torch::Tensor>& parameters() const { return blocks_; }
  // Adds every canary that is in.  Errors: PrivateGradient::Add()'s.
  Status AddTo(PrivateGradient& gradient);
  // After PrivateGradient::Finish(): adds what was released to the scores.
  void Observe();
  const std::vector<dp::CanaryScore>& scores() const { return scores_; }

 private:
  const CanaryOptions options_;
  std::vector<torch::Tensor> blocks_;
  std::vector<dp::CanaryScore> scores_;
};

}  // namespace consilium::trainer
