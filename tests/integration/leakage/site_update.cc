#include "tests/integration/leakage/site_update.h"

#include "tests/integration/leakage/pictures.h"
#include "trainer/loop/nesterov_sgd.h"
#include "trainer/privacy/private_gradient.h"

namespace consilium::attacks {
namespace {

void BackPropagate(const Network& network, const torch::Tensor& inputs, const torch::Tensor& labels,
                   const std::optional<PrivateStep>& privacy) {
  for (const torch::Tensor& parameter : network.parameters) parameter.mutable_grad() = torch::Tensor();
  if (!privacy) return network.loss(inputs, labels).backward();
  trainer::PrivateGradient gradient(network.parameters, {.clip = privacy->clip,
                                                         .noise_multiplier = privacy->noise_multiplier,
                                                         .expected_records = static_cast<double>(labels.size(0))});
  for (std::int64_t i = 0; i < labels.size(0); ++i) {
    const Status added = gradient.Add(network.loss(inputs.slice(0, i, i + 1), labels.slice(0, i, i + 1)));
    CONSILIUM_CHECK(added.ok(), added);
  }
  dp::NoiseSource noise(SecretBytes(Bytes(32, 5)), Concat("noise of site ", privacy->site));
  const Status finished = gradient.Finish(&noise);
  CONSILIUM_CHECK(finished.ok(), finished);
}

}  // namespace

Update UpdateOf(const Network& network, const torch::Tensor& pictures, const torch::Tensor& labels, const Step& step,
                const std::optional<PrivateStep>& privacy) {
  std::vector<torch::Tensor> before;
  std::vector<std::pair<std::string, torch::Tensor>> named;
  for (const torch::Tensor& parameter : network.parameters) {
    before.push_back(parameter.detach().clone());
    named.emplace_back(std::to_string(named.size()), parameter);
  }
  trainer::NesterovSgd sgd(named, {.momentum = step.momentum, .weight_decay = step.weight_decay});
  BackPropagate(network, Normalized(pictures), labels, privacy);
  sgd.Step(step.learning_rate, /*scale=*/1);
  Update update;
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const torch::Tensor moved = (network.parameters[i] - before[i]).contiguous();
    update.insert(update.end(), moved.data_ptr<float>(), moved.data_ptr<float>() + moved.numel());
    network.parameters[i].copy_(before[i]);
    network.parameters[i].mutable_grad() = torch::Tensor();
  }
  return update;
}

Gradient GradientIn(const Update& update, const Network& network, const Step& step) {
  const torch::NoGradGuard no_grad;
  Gradient gradient;
  std::size_t at = 0;
  for (const torch::Tensor& parameter : network.parameters) {
    torch::Tensor moved = torch::empty_like(parameter);
    const auto count = static_cast<std::size_t>(moved.numel());
    std::copy_n(update.begin() + static_cast<std::ptrdiff_t>(at), count, moved.data_ptr<float>());
    at += count;
    // The first step from no momentum: p - learning_rate (1 + momentum) (g + weight_decay p).
    gradient.push_back(moved / (-step.learning_rate * (1 + step.momentum)) - step.weight_decay * parameter);
  }
  return gradient;
}

}  // namespace consilium::attacks
