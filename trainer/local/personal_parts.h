// Which of a model's tensors a site keeps for itself ("*.norm.*": FedBN, Li et al., ICLR 2021), and how its own and the
// received ones become one model again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/tensor/parameter_vector.h"
#include "trainer/local/site_state.h"

namespace consilium::trainer {

struct ModelParts {
  std::shared_ptr<const tensor::Schema> model;     // all tensors
  std::shared_ptr<const tensor::Schema> shared;    // travel
  std::shared_ptr<const tensor::Schema> personal;  // stay; no tensors without patterns
};

// Errors: InvalidArgument as wire::SharedSchema: a pattern that matches nothing (with near tensors' names), nothing
// left to share.
StatusOr<ModelParts> SplitModel(const tensor::Schema& model, const std::vector<std::string>& personal);

// The site's whole model.  Shared tensors are the received ones; personal ones are those of the site's state, before
// its first round those received (the job's initial model holds them), or else `initial` (the job's seeded weights).
// Without personal parts what was received is returned as it is, foreign names and all.
// Errors: InvalidArgument naming a tensor, FailedPrecondition for a state of another model.
StatusOr<tensor::ParameterVector> AssembleModel(const tensor::ParameterVector& received,
                                                const tensor::ParameterVector& initial, const ModelParts& parts,
                                                const SiteState& state);

}  // namespace consilium::trainer
