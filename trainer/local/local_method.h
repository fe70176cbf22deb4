// What a site does besides plain training in one round of a federated method: which term its gradients get, and how its
// own state moves on.  Pure arithmetic on shared tensors; the training itself is the trainer's.
//
// y is the trained model, x the received one, K the local steps.
//
//   FedProx (Li et al., MLSys 2020): g + mu (y - x).  No state.
//   SCAFFOLD (Karimireddy et al., ICML 2020, option II): g - c_i + c;  c_i+ = mean of the K steps' g, uncorrected.  For
//     plain SGD at a constant rate that is the paper's c_i - c + (x - y) / (K lr), since y = x - lr sum(g - c_i + c);
//     unlike that formula it needs no word on momentum, a falling rate, weight decay or clipping.
//     Up: aux.control_delta = c_i+ - c_i.  Down: c, the server's mean; absent in the first round: 0.
//   FedDyn (Acar et al., ICLR 2021): g - h_i + alpha (y - x);  h_i+ = h_i - alpha (y - x).
//   Ditto (Li et al., ICML 2021): the shared model is trained plainly; its personal one is worker/ditto's.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "comm/wire/job.h"
#include "trainer/local/gradient_correction.h"
#include "trainer/local/site_state.h"

namespace consilium::trainer {

// One round of one site: Begin() before the first step, End() after the last.
class LocalMethod {
 public:
  virtual ~LocalMethod() = default;

  // `received`: the shared tensors of the global model.  `server`: the task's auxiliary tensors, null when none came;
  // a method that needs none refuses them.  Errors: InvalidArgument, FailedPrecondition (the state's).
  virtual StatusOr<GradientCorrection> Begin(const tensor::ParameterVector& received,
                                             const tensor::ParameterVector* server, const SiteState& state) = 0;

  // What the site uploads besides its model, by WHAT (update_format.h); *state is moved on.  `trained` and
  // `mean_gradient` (all zero unless Begin asked to record it) are of the shared tensors.
  using Auxiliary = std::map<std::string, tensor::ParameterVector>;
  virtual StatusOr<Auxiliary> End(const tensor::ParameterVector& trained, const tensor::ParameterVector& mean_gradient,
                                  SiteState* state) = 0;
};

// By the job's strategy.
std::unique_ptr<LocalMethod> MakeLocalMethod(const wire::FederationSpec& federation);

// FedNova's tau (Wang et al., NeurIPS 2020, section 4): by how many plain steps at the round's first learning rate a
// constant gradient would have moved the model: with Nesterov momentum m (0 before the round) and rates lr_k,
// sum over k of lr_k / lr_1 * (1 + m v_k), v_k = m v_(k-1) + 1.  Without momentum at a constant rate: K.
double EffectiveSteps(const wire::JobSpec& job, std::int64_t first_epoch, std::int64_t end_epoch);

}  // namespace consilium::trainer
