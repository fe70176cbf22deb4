// What a federated method changes in a site's training: a term that is added to the averaged gradient at every step,
// before the gradient is clipped.  All methods here share one form, and so are data and not code:
//
//   g + pull * (w - anchor) + shift
//
//   FedProx    (Li et al., MLSys 2020)             pull = mu, anchor = the received model
//   SCAFFOLD   (Karimireddy et al., ICML 2020)     shift = c - c_i
//   FedDyn     (Acar et al., ICLR 2021)            pull = alpha, anchor = the received model, shift = -h_i
//   Ditto      (Li et al., ICML 2021)              pull = lambda, anchor = the received model, on the personal model
//
// Weight decay and momentum act on the sum as they do on a plain gradient.
#pragma once

#include <optional>

#include "comm/tensor/parameter_vector.h"

namespace consilium::trainer {

// Value semantics.  A tensor that `anchor` (or `shift`) does not have is not pulled (not shifted): personal parts.
struct GradientCorrection {
  double pull = 0;  // 0: `anchor` is not looked at
  std::optional<tensor::ParameterVector> anchor;
  std::optional<tensor::ParameterVector> shift;
  // Keeps the mean over the steps of the averaged gradient, uncorrected and unclipped (Trainer::MeanGradient).
  enum class Record { kNothing, kMeanGradient } record = Record::kNothing;

  bool changes_gradients() const { return (pull != 0 && anchor) || shift; }
};

}  // namespace consilium::trainer
