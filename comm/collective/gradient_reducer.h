// Averages gradients over the ranks while the backward pass still computes: PyTorch's DDP engine (c10d::Reducer; Li et
// al., "PyTorch Distributed", VLDB 2020) behind our errors.
//
//   reducer->BeginStep();
//   for each micro-batch but the last:  reducer->Backward(loss / n, Micro::kAccumulate);
//   for the last:                       reducer->Backward(loss / n, Micro::kReduce);   // gradients are now averages
//   clip; optimizer step; reducer->ClearGradients();
//
// Averages: with losses that are means over equal shares of the global batch, the averaged gradient is that of one
// process on the joined batch.
//
// Bit-exact resume: Gloo sums an element in an order that depends on where it lies in its bucket (from 3 ranks on), and
// the engine lays its buckets out anew after the first backward pass.  So the first step of a resumed run would sum in
// another order than the run that was not interrupted.  Call Warmup() once after Create(), in fresh and resumed runs
// alike, and both use the final layout from their first real step.
//
// Thread rule: strand-bound.  The communicator must outlive it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "comm/base/status.h"
#include "comm/collective/communicator.h"
#include "comm/collective/overlap_trace.h"

namespace consilium::collective {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

enum class Micro { kAccumulate, kReduce };

struct ReducerOptions {
  // Parameters that got no gradient in a step: refused by name, or found every step (one more small all-reduce and a
  // walk over the graph) and left without a gradient when no rank used them.
  enum class Unused { kRefuse, kFind } unused = Unused::kRefuse;
  // Bytes in a bucket; 0: an eighth of the gradients, at least 64 KiB and at most DDP's 25 MiB.  Smaller buckets start
  // earlier, larger ones cost fewer round trips.
  std::int64_t bucket_bytes = 0;
  OverlapTrace* trace = nullptr;  // not owned, outlives the reducer; may be null
};

class GradientReducer {
 public:
  // Checks that every rank has the same parameters (InvalidArgument, naming a rank that differs), then gives all ranks
  // the parameters and buffers of rank 0.  `parameters`: leaves that require a gradient, in the same order everywhere.
  // In a gang of one nothing is reduced and nothing is copied.
  static StatusOr<std::unique_ptr<GradientReducer>> Create(Communicator& communicator, const NamedTensors& parameters,
                                                           const NamedTensors& buffers, const ReducerOptions& options);
  virtual ~GradientReducer() = default;

  // Before the forward pass of every optimizer step.
  virtual Status BeginStep() = 0;
  // loss.backward(); with kReduce every parameter's gradient is the average over ranks on return.
  virtual Status Backward(const at::Tensor& loss, Micro micro) = 0;
  // Every gradient becomes undefined.  (Optimizer::zero_grad() of LibTorch 1.13 cannot: gradients are views of
  // buckets.)
  virtual void ClearGradients() = 0;
  // One throw-away step: `forward` gives a loss; gradients are cleared, buffers and the CPU generator are put back.
  // Does nothing below 3 ranks, where the order of two addends cannot matter.
  virtual Status Warmup(const std::function<at::Tensor()>& forward) = 0;
};

}  // namespace consilium::collective
