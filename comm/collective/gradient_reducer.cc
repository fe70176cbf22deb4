#include "comm/collective/gradient_reducer.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/distributed/c10d/logger.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include <algorithm>
#include <mutex>
#include <utility>

#include "comm/collective/exception_guard.h"

namespace consilium::collective {
namespace {

constexpr std::int64_t kBucketBytesMin = 64 << 10;
constexpr std::int64_t kBroadcastBytes = 250 << 20;  // as DDP

std::vector<at::Tensor> Tensors(const NamedTensors& named) {
  std::vector<at::Tensor> tensors;
  for (const auto& [name, tensor] : named) tensors.push_back(tensor);
  return tensors;
}

void Clear(std::vector<at::Tensor>& parameters) {
  for (at::Tensor& parameter : parameters) parameter.mutable_grad().reset();
}

// Names of parameters without a gradient, for the error.
std::string WithoutGradient(const NamedTensors& parameters) {
  constexpr std::size_t kNamedMax = 8;
  std::string names;
  std::size_t count = 0;
  for (const auto& [name, tensor] : parameters) {
    if (tensor.grad().defined()) continue;
    if (++count <= kNamedMax) names += Concat(count == 1 ? "" : ", ", name);
  }
  return count > kNamedMax ? Concat(names, " and ", count - kNamedMax, " more") : names;
}

// The way to the trace.  A sum can end on Gloo's thread after everybody else gave up and the trace is gone, so the way
// is shared and can be closed.
class TraceLink {
 public:
  explicit TraceLink(OverlapTrace* trace) : trace_(trace) {}
  template <typename Record>
  void operator()(Record record) {
    const std::lock_guard lock(mutex_);
    if (trace_ != nullptr) record(*trace_);
  }
  OverlapTrace* Exchange(OverlapTrace* trace) {
    const std::lock_guard lock(mutex_);
    return std::exchange(trace_, trace);
  }

 private:
  std::mutex mutex_;
  OverlapTrace* trace_;
};

// Divides a bucket, sums it over the ranks, and says when.  c10d's own ready-made hooks derive from a template whose
// helper is hidden in Debian's library, so this one derives from the interface.
class AveragingHook final : public c10d::CommHookInterface {
 public:
  AveragingHook(c10d::ProcessGroup& group, std::shared_ptr<TraceLink> trace, const std::int64_t* step)
      : group_(group), trace_(std::move(trace)), step_(step) {}

  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket& bucket) override {
    std::vector<at::Tensor> tensors = {bucket.getBufferRef()};
    const std::int64_t step = *step_;
    const std::size_t index = bucket.getIndex();
    const auto bytes = static_cast<std::int64_t>(tensors[0].nbytes());
    (*trace_)([&](OverlapTrace& trace) { trace.BucketLaunched(step, index, bytes); });
    tensors[0].mul_(1.0 / group_.getSize());  // before the sum: half-precision gradients must not overflow in it
    c10::intrusive_ptr<c10::ivalue::Future> sum = group_.allreduce(tensors)->getFuture();
    sum->addCallback([link = trace_, step, index](c10::ivalue::Future&) {
      (*link)([&](OverlapTrace& trace) { trace.BucketFinished(step, index); });
    });
    return sum;
  }

  at::Tensor parseHookResult(const c10::IValue& result) override {
    return result.isTensor() ? result.toTensor() : result.toTensorVector().at(0);
  }

 private:
  c10d::ProcessGroup& group_;
  const std::shared_ptr<TraceLink> trace_;
  const std::int64_t* const step_;
};

class SoloReducer final : public GradientReducer {
 public:
  SoloReducer(const NamedTensors& parameters, OverlapTrace* trace) : parameters_(Tensors(parameters)), trace_(trace) {}

  Status BeginStep() override {
    ++step_;
    return {};
  }
  Status Backward(const at::Tensor& loss, Micro) override {
    try {
      if (trace_ != nullptr) trace_->BackwardBegan(step_);
      loss.backward();
      if (trace_ != nullptr) trace_->BackwardEnded(step_);
      return {};
    } catch (...) {
      return StatusOfExceptionInFlight("backward pass");
    }
  }
  void ClearGradients() override { Clear(parameters_); }
  Status Warmup(const std::function<at::Tensor()>&) override { return {}; }

 private:
  std::vector<at::Tensor> parameters_;
  OverlapTrace* const trace_;
  std::int64_t step_ = -1;
};

class GroupReducer final : public GradientReducer {
 public:
  GroupReducer(Communicator& communicator, const NamedTensors& parameters, const NamedTensors& buffers,
               const ReducerOptions& options)
      : communicator_(communicator),
        named_(parameters),
        parameters_(Tensors(parameters)),
        buffers_(Tensors(buffers)),
        unused_(options.unused),
        bucket_bytes_(options.bucket_bytes),
        trace_(std::make_shared<TraceLink>(options.trace)) {}
  ~GroupReducer() override { trace_->Exchange(nullptr); }

  // Throws what c10d throws.
  void Start() {
    const auto group = c10::intrusive_ptr<c10d::ProcessGroup>::reclaim_copy(communicator_.process_group());
    c10d::verify_params_across_processes(group, parameters_, {});
    std::vector<at::Tensor> state;
    for (const at::Tensor& parameter : parameters_) state.push_back(parameter.detach());
    for (const at::Tensor& buffer : buffers_) state.push_back(buffer.detach());
    c10d::broadcast_coalesced(group, state, kBroadcastBytes, 0);

    std::int64_t bytes = 0;
    for (const at::Tensor& parameter : parameters_) bytes += static_cast<std::int64_t>(parameter.nbytes());
    const std::int64_t bucket_bytes =
        bucket_bytes_ > 0 ? bucket_bytes_
                          : std::clamp<std::int64_t>(bytes / 8, kBucketBytesMin, c10d::kDefaultBucketBytesCap);
    const std::int64_t first_bytes = std::min<std::int64_t>(bucket_bytes, c10d::kDefaultFirstBucketBytes);
    const std::vector<bool> sparse(parameters_.size(), false);
    auto [buckets, limits] = c10d::compute_bucket_assignment_by_size(
        parameters_, {static_cast<std::size_t>(first_bytes), static_cast<std::size_t>(bucket_bytes)}, sparse);
    // The backward pass meets the parameters roughly last to first; after it the engine uses the order that it saw.
    std::reverse(buckets.begin(), buckets.end());
    std::reverse(limits.begin(), limits.end());
    std::unordered_map<std::size_t, std::string> names;
    for (std::size_t i = 0; i < named_.size(); ++i) names[i] = named_[i].first;
    const bool find_unused = unused_ == ReducerOptions::Unused::kFind;
    const bool gradient_as_bucket_view = true;  // no second copy of the gradients
    engine_ =
        std::make_unique<c10d::Reducer>(parameters_, std::move(buckets), std::move(limits), group, sparse, bucket_bytes,
                                        find_unused, gradient_as_bucket_view, std::move(names), first_bytes);
    engine_->register_comm_hook(std::make_unique<AveragingHook>(*group, trace_, &step_));
  }

  Status BeginStep() override {
    RETURN_IF_ERROR(communicator_.failure());
    try {
      ++step_;
      engine_->rebuild_buckets();  // acts once, after the first step
      return {};
    } catch (...) {
      return communicator_.FailureInFlight(Concat("step ", step_, ": laying out the gradient buckets"));
    }
  }

  Status Backward(const at::Tensor& loss, Micro micro) override {
    RETURN_IF_ERROR(communicator_.failure());
    try {
      if (micro == Micro::kAccumulate) {
        loss.backward();  // without prepare_for_backward the engine's hooks do nothing
        return {};
      }
      const bool find_unused = unused_ == ReducerOptions::Unused::kFind;
      engine_->prepare_for_backward(find_unused ? std::vector<at::Tensor>{loss} : std::vector<at::Tensor>{});
      (*trace_)([&](OverlapTrace& trace) { trace.BackwardBegan(step_); });
      loss.backward();
      (*trace_)([&](OverlapTrace& trace) { trace.BackwardEnded(step_); });
    } catch (...) {
      // Whatever it was, the peers wait in an all-reduce that this rank will not join.
      return communicator_.Fail(
          communicator_.FailureInFlight(Concat("step ", step_, ": backward pass with all-reduce (", "rank ",
                                               communicator_.rank(), " of ", communicator_.world(), ")")));
    }
    if (unused_ == ReducerOptions::Unused::kFind) return {};
    // The engine would wait for these in vain and tell so, by number, one step too late.
    const std::string missing = WithoutGradient(named_);
    if (missing.empty()) return {};
    return Failed("step ", step_, ": parameters that the loss does not depend on got no gradient: ", missing,
                  "; leave them out, or let unused parameters be found");
  }

  void ClearGradients() override { Clear(parameters_); }

  Status Warmup(const std::function<at::Tensor()>& forward) override {
    if (communicator_.world() < 3) return {};
    std::vector<at::Tensor> kept;
    for (const at::Tensor& buffer : buffers_) kept.push_back(buffer.detach().clone());
    at::Generator generator = at::detail::getDefaultCPUGenerator();
    const at::Tensor generator_state = generator.get_state();
    OverlapTrace* const trace = trace_->Exchange(nullptr);
    Status status = BeginStep();
    if (status.ok()) {
      try {
        status = Backward(forward(), Micro::kReduce);
      } catch (...) {
        status = StatusOfExceptionInFlight("throw-away step");
      }
    }
    ClearGradients();
    for (std::size_t i = 0; i < kept.size(); ++i) buffers_[i].detach().copy_(kept[i]);
    generator.set_state(generator_state);
    trace_->Exchange(trace);
    step_ = -1;
    return status;
  }

 private:
  Communicator& communicator_;
  const NamedTensors named_;
  std::vector<at::Tensor> parameters_, buffers_;
  const ReducerOptions::Unused unused_;
  const std::int64_t bucket_bytes_;
  const std::shared_ptr<TraceLink> trace_;
  std::unique_ptr<c10d::Reducer> engine_;
  std::int64_t step_ = -1;
};

// c10d compares parameters too, but does not say whose differ.
Status CompareParameters(Communicator& communicator, const NamedTensors& parameters) {
  std::string text;
  for (const auto& [name, tensor] : parameters)
    text += Concat(name, " ", tensor.sizes(), " ", tensor.scalar_type(), "\n");
  at::Tensor digests = at::zeros({communicator.world()}, at::kLong);
  digests[communicator.rank()] = static_cast<std::int64_t>(std::hash<std::string>()(text) >> 1);
  RETURN_IF_ERROR(communicator.AllReduceSum(digests, "comparing the ranks' parameters"));
  for (int rank = 1; rank < communicator.world(); ++rank)
    if (digests[rank].item<std::int64_t>() != digests[0].item<std::int64_t>())
      return InvalidArgument("rank ", rank, " has other parameters than rank 0; every rank must build the same model");
  return {};
}

}  // namespace

StatusOr<std::unique_ptr<GradientReducer>> GradientReducer::Create(Communicator& communicator,
                                                                   const NamedTensors& parameters,
                                                                   const NamedTensors& buffers,
                                                                   const ReducerOptions& options) {
  if (communicator.process_group() == nullptr)
    return std::unique_ptr<GradientReducer>(std::make_unique<SoloReducer>(parameters, options.trace));
  RETURN_IF_ERROR(CompareParameters(communicator, parameters));
  auto reducer = std::make_unique<GroupReducer>(communicator, parameters, buffers, options);
  try {
    reducer->Start();
  } catch (...) {
    return communicator.FailureInFlight("setting up the gradient reducer");
  }
  return std::unique_ptr<GradientReducer>(std::move(reducer));
}

}  // namespace consilium::collective
