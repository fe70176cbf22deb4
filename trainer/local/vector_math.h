// Arithmetic on whole models, and the parts of them that travel or stay.
#pragma once

#include "comm/tensor/parameter_vector.h"

namespace consilium::trainer {

// Both of one schema; the caller's duty.
tensor::ParameterVector Difference(const tensor::ParameterVector& a, const tensor::ParameterVector& b);
// *sum += factor * x.
void AddScaled(tensor::ParameterVector* sum, const tensor::ParameterVector& x, float factor);
bool IsZero(const tensor::ParameterVector& x);

// The tensors of `part` out of `whole`.  Errors: InvalidArgument naming a tensor that is missing or has another shape.
StatusOr<tensor::ParameterVector> Selected(const tensor::ParameterVector& whole,
                                           std::shared_ptr<const tensor::Schema> part);
// Replaces in *whole the tensors that `part` has.  Errors as above; *whole is then unchanged.
Status Overlay(const tensor::ParameterVector& part, tensor::ParameterVector* whole);

}  // namespace consilium::trainer
