// The sum of a small tensor over all ranks as a step of the autograd graph, for losses that need it (Dice over a batch
// that lies on several ranks).
#pragma once

#include <torch/torch.h>

#include <functional>

#include "comm/collective/communicator.h"

namespace consilium::trainer {

// Returns y = sum over ranks of x.
//
// Backward: every rank's loss uses the same y, and is weighted by the rank's share (w_r = share_weight of rank r, with
// sum over ranks W).  The gradient that reaches y on this rank is w_r * g with the same g everywhere; what x needs is
// the sum over ranks, W * g.  That is known without asking: the gradient times W / w_r = `backward_scale`.  So no
// collective runs inside the backward pass, where it could cross the gradient buckets' order.
//
// A failed all-reduce throws, and is left in *failure.
torch::Tensor SumOverRanks(const torch::Tensor& x, collective::Communicator& communicator, double backward_scale,
                           Status* failure);

}  // namespace consilium::trainer
