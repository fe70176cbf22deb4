#include "trainer/loop/step_engine.h"

#include <cmath>

#include "trainer/loop/pseudo_dice.h"
#include "trainer/loop/rank_sum.h"
#include "trainer/models/torch_guard.h"

namespace consilium::trainer {
namespace {

collective::NamedTensors Named(const torch::OrderedDict<std::string, torch::Tensor>& tensors) {
  collective::NamedTensors named;
  for (const auto& item : tensors) named.emplace_back(item.key(), item.value());
  return named;
}

}  // namespace

StatusOr<std::unique_ptr<StepEngine>> StepEngine::Create(std::shared_ptr<SegmentationModel> model,
                                                         collective::Communicator& communicator, torch::Device device,
                                                         const wire::TrainSpec& train,
                                                         collective::OverlapTrace* overlap_trace) {
  const collective::NamedTensors parameters = Named(model->named_parameters());
  const collective::NamedTensors buffers = Named(model->named_buffers());
  std::unique_ptr<StepEngine> engine(new StepEngine(std::move(model), communicator, device, train, parameters));
  ASSIGN_OR_RETURN(engine->reducer_,
                   collective::GradientReducer::Create(communicator, parameters, buffers, {.trace = overlap_trace}));
  return engine;
}

StepEngine::StepEngine(std::shared_ptr<SegmentationModel> model, collective::Communicator& communicator,
                       torch::Device device, const wire::TrainSpec& train, collective::NamedTensors parameters)
    : model_(std::move(model)),
      communicator_(communicator),
      device_(device),
      train_(train),
      sgd_(parameters, {.momentum = train.momentum, .weight_decay = train.weight_decay}),
      corrector_(std::move(parameters)) {}

double StepEngine::PartOf(const Share& share) const {
  return static_cast<double>(share.size()) / static_cast<double>(train_.batch_size);
}

LossOptions StepEngine::LossFor(const Share& share) {
  LossOptions options;
  if (model_->divisor().size() == 2) options.dice_reduction = DiceReduction::kBatch;
  if (communicator_.world() > 1) {
    const double backward_scale = static_cast<double>(share.of) / static_cast<double>(share.size());
    options.all_reduce_sum = [this, backward_scale](const torch::Tensor& x) {
      return SumOverRanks(x, communicator_, backward_scale, &sum_failure_);
    };
  }
  return options;
}

StatusOr<StepEngine::Output> StepEngine::Forward(const Batch& batch, const Share& share) {
  StatusOr<Output> output = GuardTorch("computing the loss", [&] {
    Output made;
    made.target = batch.target.to(device_, /*non_blocking=*/true);
    const std::vector<torch::Tensor> logits = model_->forward(batch.image.to(device_, /*non_blocking=*/true));
    made.logits = logits[0];
    made.loss = SegmentationLoss(logits, made.target, LossFor(share));
    return made;
  });
  if (!output.ok() && !sum_failure_.ok()) return sum_failure_;
  return output;
}

Status StepEngine::Warmup(const Batch& batch, const Share& share) {
  Status failure;
  const Status warm = reducer_->Warmup([&] {
    StatusOr<Output> output = Forward(batch, share);
    if (output.ok()) return output->loss;
    failure = output.status();
    throw std::runtime_error(failure.message());
  });
  return failure.ok() ? warm : failure;
}

StatusOr<StepEngine::StepResult> StepEngine::Step(BatchLoader& loader, const std::vector<Share>& shares,
                                                  double learning_rate) {
  StepResult result;
  torch::Tensor loss_sum;  // on the device: asking for its value would wait for it
  RETURN_IF_ERROR(reducer_->BeginStep());
  for (std::size_t micro = 0; micro < shares.size(); ++micro) {
    ASSIGN_OR_RETURN(const Batch batch, GuardTorch("loading a batch", [&] { return loader.Next(); }));
    ASSIGN_OR_RETURN(const Output output, Forward(batch, shares[micro]));
    const double part = PartOf(shares[micro]);
    const double weight = part * communicator_.world();  // the reducer divides by the ranks
    RETURN_IF_ERROR(
        reducer_->Backward(weight == 1 ? output.loss : output.loss * weight,
                           micro + 1 == shares.size() ? collective::Micro::kReduce : collective::Micro::kAccumulate));
    const torch::Tensor counted = output.loss.detach().to(torch::kFloat64) * part;
    loss_sum = loss_sum.defined() ? loss_sum + counted : counted;
  }
  RETURN_IF_ERROR(GuardTorch("adding up the loss", [&] { result.loss = loss_sum.item<double>(); }));
  ASSIGN_OR_RETURN(result.gradient_norm, Update(learning_rate, Concat("loss ", result.loss)));
  return result;
}

StatusOr<double> StepEngine::Update(double learning_rate, const std::string& about) {
  StatusOr<double> norm = GuardTorch("updating the weights", [&]() -> StatusOr<double> {
    corrector_.Apply();
    const double norm = sgd_.GradientNorm();
    if (!std::isfinite(norm))
      return Failed("the gradient is not finite (", about,
                    "); mend: a lower train.learning_rate, or look for broken voxels in the images");
    sgd_.Step(learning_rate, ClipScale(norm, train_.gradient_clip));
    return norm;
  });
  if (norm.ok()) reducer_->ClearGradients();
  return norm;
}

// Everything that a method adds to the gradient comes after the noise: it knows no record.
StatusOr<double> StepEngine::PrivateStep(std::span<const Batch> records, PrivateGradient& gradient,
                                         dp::NoiseSource* noise, double learning_rate) {
  CONSILIUM_CHECK(communicator_.world() == 1, "privacy for records is trained by one rank");
  for (const Batch& record : records) {
    ASSIGN_OR_RETURN(const Output output, Forward(record, {.begin = 0, .end = 1, .of = 1}));
    RETURN_IF_ERROR(gradient.Add(output.loss));
  }
  RETURN_IF_ERROR(gradient.Finish(noise));
  return Update(learning_rate, "with noise");
}

StatusOr<StepEngine::Evaluation> StepEngine::Evaluate(const Batch& batch, const Share& share) {
  const torch::NoGradGuard no_grad;
  ASSIGN_OR_RETURN(const Output output, Forward(batch, share));
  return GuardTorch("counting overlaps", [&] {
    return Evaluation{output.loss.item<double>() * PartOf(share), CountOverlap(output.logits, output.target)};
  });
}

}  // namespace consilium::trainer
