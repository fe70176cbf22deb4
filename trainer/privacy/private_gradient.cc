#include "trainer/privacy/private_gradient.h"

#include <algorithm>
#include <cmath>

#include "trainer/models/torch_guard.h"

namespace consilium::trainer {

PrivateGradient::PrivateGradient(std::vector<torch::Tensor> parameters, const PrivateGradientOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const torch::Tensor& parameter : parameters_) sums_.push_back(torch::zeros_like(parameter.detach()));
}

Status PrivateGradient::Add(const torch::Tensor& loss_of_one_record) {
  return GuardTorch("clipping a record's gradient", [&] {
    for (const torch::Tensor& parameter : parameters_) parameter.mutable_grad() = torch::Tensor();
    loss_of_one_record.backward();
    const torch::NoGradGuard no_grad;
    torch::Tensor square = torch::zeros({}, torch::dtype(torch::kFloat64).device(sums_.front().device()));
    for (const torch::Tensor& parameter : parameters_)
      if (parameter.grad().defined()) square += parameter.grad().to(torch::kFloat64).square().sum();
    const double norm = std::sqrt(square.item<double>());
    const double scale = norm > options_.clip ? options_.clip / norm : 1;
    for (std::size_t i = 0; i < parameters_.size() && std::isfinite(norm); ++i)
      if (parameters_[i].grad().defined()) sums_[i].add_(parameters_[i].grad(), scale);
    for (const torch::Tensor& parameter : parameters_) parameter.mutable_grad() = torch::Tensor();
    records_ += 1, clipped_ += norm > options_.clip ? 1 : 0, not_finite_ += std::isfinite(norm) ? 0 : 1;
  });
}

Status PrivateGradient::Finish(dp::NoiseSource* noise) {
  return GuardTorch("adding noise to the gradient", [&] {
    const torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      torch::Tensor noisy =
          sums_[i].to(torch::kCPU, torch::kFloat32, /*non_blocking=*/false, /*copy=*/true).contiguous();
      noise->AddGaussian(options_.noise_multiplier * options_.clip,
                         {noisy.data_ptr<float>(), static_cast<std::size_t>(noisy.numel())});
      parameters_[i].mutable_grad() = noisy.div_(options_.expected_records).to(parameters_[i].device());
      sums_[i].zero_();
    }
    records_ = clipped_ = not_finite_ = 0;
  });
}

}  // namespace consilium::trainer
