// Was this record trained on?  An attacker who sees the last model, and how often he is right.
#pragma once

#include <torch/torch.h>

#include <vector>

namespace consilium::attacks {

// The chance that a member has a higher score than one who is not (area under the ROC curve): 1/2 says nothing.
double AreaUnderCurve(const std::vector<double>& members, const std::vector<double>& others);

// A member's loss has fallen further than another's, from the model that training began with.
// S. Yeom et al., "Privacy risk in machine learning", CSF 2018; compared with a model that has not seen the record, as
// L. Watson et al., "On the importance of difficulty calibration in membership inference attacks", ICLR 2022.
std::vector<double> LossScores(const torch::Tensor& losses_before, const torch::Tensor& losses_after);

}  // namespace consilium::attacks
