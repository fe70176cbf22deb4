#include "trainer/loop/nesterov_sgd.h"

#include <ATen/Parallel.h>

#include <array>
#include <cmath>
#include <cstring>
#include <map>

namespace consilium::trainer {
namespace {

using torch::Tensor;

constexpr std::int64_t kGrain = 1 << 15;  // values a thread takes at least

// Sums of squares in fixed lanes: vectorised, and the same whatever the number of threads.
double SumOfSquares(const float* values, std::int64_t count) {
  constexpr std::int64_t kLanes = 8;
  std::array<double, kLanes> lanes{};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const double value = values[i + lane];
      lanes[static_cast<std::size_t>(lane)] += value * value;
    }
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  for (; i < count; ++i) sum += static_cast<double>(values[i]) * values[i];
  return sum;
}

struct StepFactors {
  float learning_rate, scale, momentum, weight_decay;
};

void StepOnCpu(float* p, float* v, const float* gradient, std::int64_t count, const StepFactors& by) {
  at::parallel_for(0, count, kGrain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float d = by.scale * gradient[i] + by.weight_decay * p[i];
      v[i] = by.momentum * v[i] + d;
      p[i] -= by.learning_rate * (d + by.momentum * v[i]);
    }
  });
}

void StepElsewhere(Tensor p, Tensor& v, const Tensor& gradient, const StepFactors& by) {
  Tensor d = torch::mul(gradient, by.scale).add_(p, by.weight_decay);
  v.mul_(by.momentum).add_(d);
  p.add_(d.add_(v, by.momentum), -by.learning_rate);
}

}  // namespace

NesterovSgd::NesterovSgd(std::vector<std::pair<std::string, Tensor>> parameters, const SgdOptions& options)
    : options_(options) {
  const torch::NoGradGuard no_grad;
  for (auto& [name, parameter] : parameters) {
    TORCH_CHECK(parameter.scalar_type() == torch::kFloat32 && parameter.is_contiguous(), "parameter ", name,
                " must be contiguous f32");
    Tensor velocity = torch::zeros_like(parameter);
    items_.push_back({name, parameter, velocity});
  }
}

double NesterovSgd::GradientNorm() const {
  const torch::NoGradGuard no_grad;
  double sum = 0;
  Tensor device_sum;
  for (const Item& item : items_) {
    const Tensor& gradient = item.parameter.grad();
    if (!gradient.defined()) continue;
    if (gradient.device().is_cpu()) {
      const Tensor flat = gradient.contiguous();
      sum += SumOfSquares(flat.data_ptr<float>(), flat.numel());
    } else {  // one wait for the device at the end, not one a tensor
      const Tensor squares = gradient.to(torch::kFloat64).square_().sum();
      device_sum = device_sum.defined() ? device_sum + squares : squares;
    }
  }
  if (device_sum.defined()) sum += device_sum.item<double>();
  return std::sqrt(sum);
}

void NesterovSgd::Step(double learning_rate, double scale) {
  const torch::NoGradGuard no_grad;
  const StepFactors by{static_cast<float>(learning_rate), static_cast<float>(scale),
                       static_cast<float>(options_.momentum), static_cast<float>(options_.weight_decay)};
  for (Item& item : items_) {
    const Tensor& gradient = item.parameter.grad();
    if (!gradient.defined()) continue;
    if (item.parameter.device().is_cpu()) {
      const Tensor flat = gradient.contiguous();
      StepOnCpu(item.parameter.data_ptr<float>(), item.velocity.data_ptr<float>(), flat.data_ptr<float>(), flat.numel(),
                by);
    } else {
      StepElsewhere(item.parameter, item.velocity, gradient, by);
    }
  }
}

void NesterovSgd::ExportMomentum(tensor::ParameterVector& momentum) const {
  std::map<std::string, const Item*> by_name;
  for (const Item& item : items_) by_name[item.name] = &item;
  for (std::size_t i = 0; i < momentum.schema().tensors().size(); ++i) {
    const auto found = by_name.find(momentum.schema().tensors()[i].name);
    if (found == by_name.end() || momentum.tensor(i).empty()) continue;
    const Tensor host = found->second->velocity.to(torch::kCPU).contiguous();
    std::memcpy(momentum.tensor(i).data(), host.data_ptr<float>(), momentum.tensor(i).size_bytes());
  }
}

void NesterovSgd::ImportMomentum(const tensor::ParameterVector& momentum) {
  const torch::NoGradGuard no_grad;
  std::map<std::string, Item*> by_name;
  for (Item& item : items_) by_name[item.name] = &item;
  for (std::size_t i = 0; i < momentum.schema().tensors().size(); ++i) {
    const auto found = by_name.find(momentum.schema().tensors()[i].name);
    if (found == by_name.end() || momentum.tensor(i).empty()) continue;
    Tensor& velocity = found->second->velocity;
    // from_blob wants a mutable pointer; it is only read.
    velocity.copy_(torch::from_blob(const_cast<float*>(momentum.tensor(i).data()), velocity.sizes(), torch::kFloat32));
  }
}

std::vector<Tensor> NesterovSgd::momentum_tensors() const {
  std::vector<Tensor> tensors;
  for (const Item& item : items_) tensors.push_back(item.velocity);
  return tensors;
}

}  // namespace consilium::trainer
